"""The rows of a waterfall: every call once, lost parents, sums, waits, and what decided the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_observe.v1 import span_pb2 as pb
from llm_observe.v1.log_pb2 import OUTCOME_ERROR, Log

from streamlit_app.traces.rows import MAX_ROWS, merge, to_head, to_rows
from streamlit_app.traces.scale import Scale
from streamlit_app.traces.spans import LLM, Span, from_log, spans_of
from streamlit_app.traces.tree import MISSING, build_tree, walk
from tests.support.properties import examples
from tests.support.ui.sample_logs import TRACE_ID, logs


def span(name: str, start: float, end: float, parent: str = "", **others) -> Span:
    return Span(name, parent, LLM, name, start, end, has_end=True, log_id=f"log {name}", **others)


def rows_of(spans, *, shorten_waits: bool = False, **options):
    return to_rows(spans, Scale(merge(spans), shorten_waits=shorten_waits), **options)


def test_children_are_below_their_parent_and_sums_are_on_it():
    rows = rows_of([
        span("agent", 0, 10, tokens=1, cost_nano_usd=None),
        span("second", 5, 9, "agent", tokens=20, cost_nano_usd=2_000_000_000),
        span("first", 1, 4, "agent", tokens=300, cost_nano_usd=1_000_000_000),
    ])  # fmt: skip
    assert [(row.name, row.depth, row.tokens, row.cost) for row in rows] == [
        ("agent", 0, "321", "$3.00"),
        ("first", 1, "300", "$1.00"),
        ("second", 1, "20", "$2.00"),
    ]
    assert [row.is_sum for row in rows] == [True, False, False]


def test_an_unknown_cost_is_empty_and_not_nothing():
    (row,) = rows_of([span("a", 0, 1)])
    assert (row.tokens, row.cost) == ("", "")


def test_calls_whose_parent_never_arrived_stand_under_a_row_that_says_so():
    rows = rows_of([span("a", 0, 1, "gone"), span("b", 2, 3, "gone"), span("c", 2.5, 3, "b")])
    assert [(row.kind, row.depth) for row in rows if row.kind != "gap"] == [
        (MISSING, 0),
        (LLM, 1),
        (LLM, 1),
        (LLM, 2),
    ]
    assert (rows[0].left, rows[0].width) == (0, 1)
    assert rows[0].name == "not received \u00b7 gone"


ids = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(ids, ids | st.just(""), st.integers(0, 50), st.integers(0, 50)), max_size=12))
@examples(200)
def test_every_call_is_in_the_tree_once_whatever_parents_say(parts):
    """Also where calls name each other, or themselves, as their parents."""
    spans = [
        span(name, start, start + length, parent)
        for name, parent, start, length in {part[0]: part for part in parts}.values()
    ]
    nodes = [node.span.id for node in walk(build_tree(spans)) if not node.is_missing]
    assert sorted(nodes) == sorted(one.id for one in spans)
    for shorten_waits in (False, True):
        for row in rows_of(spans, shorten_waits=shorten_waits):
            assert 0 <= row.left <= row.left + row.width <= 1.000001


def test_steps_stand_around_calls_and_a_call_is_there_once():
    call = Log(log_id="a", span_id="2" * 16, parent_span_id="1" * 16, model="m", total_token_count=7)
    agent = pb.Span(span_id="1" * 16, name="invoke_agent w", operation="invoke_agent")
    itself = pb.Span(span_id="2" * 16, parent_span_id="1" * 16, operation="chat", log_id="a")
    seen_too = pb.Span(span_id="3" * 16, name="chat", operation="chat", log_id="a")
    found = {one.id[0]: one for one in spans_of([call], [agent, itself, seen_too])}
    assert {number: (one.kind, one.log_id, one.tokens) for number, one in found.items()} == {
        "1": ("agent", "", None), "2": (LLM, "a", 7), "3": ("chain", "a", None),
    }  # fmt: skip


def test_a_span_id_that_a_producer_repeats_hides_no_call():
    calls = [Log(log_id=name, span_id="1" * 16, model="m") for name in "ab"]
    assert [one.log_id for one in spans_of(calls)] == ["a", "b"]
    assert len({one.id for one in spans_of(calls)}) == 2


def test_the_critical_path_leads_back_from_what_ended_last():
    spans = [
        span("root", 0, 10), span("early", 0, 3, "root"), span("beside", 3, 5, "root"),
        span("last", 3, 10, "root"), span("within", 4, 9, "last"),
    ]  # fmt: skip
    critical = {row.name for row in rows_of(spans) if row.is_critical}
    assert critical == {"root", "early", "last", "within"}


@pytest.mark.parametrize(("gap", "expected"), [(0.9, []), (1.2, ["waiting 1.20 s"])])
def test_a_wait_is_said_if_it_is_a_tenth_of_the_whole(gap, expected):
    rows = rows_of([span("a", 0, 5), span("b", 5 + gap, 10, "")])
    assert [row.name for row in rows if row.kind == "gap"] == expected


def test_a_shortened_wait_leaves_room_for_the_calls():
    spans = [span("a", 0, 1), span("b", 3600, 3601)]
    assert rows_of(spans)[0].width < 0.001
    assert rows_of(spans, shorten_waits=True)[0].width > 0.4
    assert Scale(merge(spans), shorten_waits=True).labels() == ["0", "1 h 00 min"]


def test_rows_can_be_sorted_by_duration_and_reduced_to_llm_calls():
    spans = [span("short", 0, 1), span("long", 1, 9)._replace(kind="tool"), span("middle", 2, 5, "long")]
    assert [row.name for row in rows_of(spans, order="duration")] == ["long", "middle", "short"]
    assert [row.name for row in rows_of(spans, calls_only=True)] == ["short", "middle"]


def test_more_rows_than_can_be_read_are_folded():
    rows = rows_of([span(str(number), number, number + 1) for number in range(MAX_ROWS + 20)])
    assert len(rows) == MAX_ROWS + 1
    assert rows[-1].name == "20 more"


def test_the_head_sums_up():
    head = to_head([
        span("a", 0, 2, tokens=10, cost_nano_usd=5), span("b", 1, 3, outcome="error"),
        span("c", 4, 8, tokens=1, cost_nano_usd=6),
    ])  # fmt: skip
    assert tuple(head) == (8, 7 / 8, 3, 1, 11, 11, 1)
    assert tuple(to_head([])) == (0, None, 0, 0, None, None, 0)


def test_a_call_is_read_from_its_log():
    log = Log(log_id="l", model="m", operation="execute_tool", outcome=OUTCOME_ERROR, error_code="timeout")
    log.start_time.seconds = 100
    log.end_time.seconds = 102
    read = from_log(log)
    assert (read.id, read.kind, read.name, read.end) == ("l", "tool", "execute_tool m", 102)
    assert (read.outcome, read.error_code, read.tokens, read.cost_nano_usd) == (
        "error",
        "timeout",
        None,
        None,
    )
    log.ClearField("end_time")
    assert not from_log(log).has_end
    assert [one.parent_id for one in spans_of(log for log in logs() if log.trace_id == TRACE_ID)]
