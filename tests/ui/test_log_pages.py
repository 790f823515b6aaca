"""The pages Logs and Trace without a browser: what they ask, what they say, and what they show as it is."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.event_service_pb2 import WatchLogsResponse
from llm_observe.v1.log_pb2 import OUTCOME_ERROR, Log
from llm_observe.v1.trace_service_pb2 import ListTracesResponse, TraceServiceGetTraceResponse

from server.rpc.errors import QueryTookTooLong
from streamlit_app.data import log_search
from streamlit_app.data.live_tail import LiveTail
from streamlit_app.panels.log_details import describe_rank, describe_source, tokens_per_second
from streamlit_app.state.filters import KEYS, Filters
from streamlit_app.state.live import merge_newest
from streamlit_app.views import logs as logs_page
from tests.support.ui.app import UNHURRIED_S, choose_timeout, page
from tests.support.ui.sample import NOW
from tests.support.ui.sample_logs import TRACE_ID, logs
from tests.support.waiting import eventually

VALUES = {"outcome": "error", "latency": "1..2.5", "ttft": "..0.5"}
LIST = "AnalyticsService.ListLogs"
GET = "AnalyticsService.GetLog"


def texts(app) -> str:
    """Return all that a page says, without the escapes of markdown."""
    kinds = (app.markdown, app.caption, app.warning, app.error, app.info, app.header, app.subheader, app.code)
    return " ".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def query_of(app, key: str) -> str:
    value = app.query_params[key]
    return value if isinstance(value, str) else value[0]


def run(name: str, **query):
    app = page(name, **query).run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("key", KEYS)
def test_every_filter_of_the_url_acts(key, connected):
    value = VALUES.get(key, "x")
    run("logs", **{key: value})
    expected = Filters.from_query({key: [value]}).to_log_filter()
    assert connected.requests_to(LIST)[0].filter == expected


def test_the_table_is_drawn_before_the_strip(connected, monkeypatch):
    drawn: list[str] = []

    def note(name: str) -> None:
        original = getattr(logs_page, name)

        def noted(*args):
            drawn.append(name)
            return original(*args)

        monkeypatch.setattr(logs_page, name, noted)

    for name in ("show_log_table", "let_numbers_be_drawn", "show_pulse"):
        note(name)
    app = run("logs")
    assert drawn == ["show_log_table", "let_numbers_be_drawn", "show_pulse"]
    drawn.clear()
    app.run()  # numbers are there
    assert drawn == ["show_log_table", "show_pulse"]
    assert not app.get("skeleton")


def test_pages_follow_each_other_within_one_window(connected):
    app = run("logs")
    first = connected.requests_to(LIST)[-1]
    app.button("older").click().run()
    second = connected.requests_to(LIST)[-1]
    assert second.page_token == "50"
    assert second.time_range == first.time_range  # the server refuses a token of another window
    assert "25 Nov" in texts(app)

    again = run("logs", page=query_of(app, "page"))  # the URL holds it
    assert connected.requests_to(LIST)[-1] == second
    again.button("newer").click().run()
    assert connected.requests_to(LIST)[-1].page_token == "0"
    again.button("newest").click().run()
    assert not connected.requests_to(LIST)[-1].page_token


def test_a_page_of_another_view_is_not_asked_for(connected):
    app = run("logs")
    app.button("older").click().run()
    run("logs", page=query_of(app, "page"), user="user-001")
    assert not connected.requests_to(LIST)[-1].page_token


@pytest.mark.parametrize("value", ["", "x", "..", "12345678.zz.50", "a.b.c.d", "00000000.ffffffffffffff.1"])
def test_a_broken_page_is_the_first_one(value, connected):
    run("logs", page=value)
    assert not connected.requests_to(LIST)[-1].page_token


class Haystack:
    """A server that searches an hour of the window with each call, and finds what is given for it."""

    def __init__(self, *found: int) -> None:
        self.found = found
        self.calls = 0

    def __call__(self, request):
        at = int(request.page_token or 0)
        self.calls += 1
        start = sum(self.found[:at])
        answer = pb.ListLogsResponse(logs=logs()[start : start + min(self.found[at], request.page_size)])
        answer.next_page_token = str(at + 1) if at + 1 < len(self.found) else ""
        answer.searched_time.FromDatetime(NOW - timedelta(hours=at + 1))
        return answer


def shown_rows(app) -> list[int]:
    return [len(frame.value) for frame in app.dataframe]


def test_a_search_goes_on_by_itself_to_the_end_of_the_window(connected):
    connected.answers[LIST] = haystack = Haystack(0, 2, 0, 1)
    app = run("logs", q="invoice")
    assert haystack.calls == 4
    assert shown_rows(app) == [3, 3]  # wide and narrow
    assert "Searched all of the window" in texts(app)
    assert "3 found" in texts(app)
    assert "the end of the window" in texts(app)
    app.run()
    assert haystack.calls == 4  # a refresh does not begin it again
    assert shown_rows(app) == [3, 3]
    app.button("search_again").click().run()
    assert haystack.calls == 8


def test_a_search_ends_with_a_full_page(connected):
    connected.answers[LIST] = haystack = Haystack(0, 30, 30, 30)
    app = run("logs", q="invoice")
    assert haystack.calls == 3
    assert shown_rows(app) == [50, 50]
    assert not app.button("older").disabled


def test_a_search_that_takes_long_asks_whether_to_go_on(connected, monkeypatch):
    monkeypatch.setattr(log_search, "MAX_SEARCH_S", 0.0)
    connected.answers[LIST] = haystack = Haystack(1, 1, 1, 1)
    app = run("logs", q="invoice")
    assert haystack.calls == 2
    assert "Searched back to 25 Nov" in texts(app)
    assert shown_rows(app) == [2, 2]
    app.run()
    assert haystack.calls == 2
    app.button("search_on").click().run()
    assert haystack.calls == 3
    app.button("older").click().run()  # or page by page
    assert connected.requests_to(LIST)[-1].page_token == "3"


def test_a_search_that_does_not_come_further_stops(connected):
    answer = pb.ListLogsResponse(next_page_token="more")
    answer.searched_time.FromDatetime(NOW.replace(hour=9, minute=5))
    connected.answers[LIST] = answer
    app = run("logs", q="invoice")
    assert len(connected.requests_to(LIST)) == 2
    assert "Searched back to 25 Nov 09:05 so far" in texts(app)


def test_a_search_that_fails_says_why_and_keeps_what_it_found(connected):
    found = Haystack(2, 1)

    def fail_later(request):
        return QueryTookTooLong() if request.page_token else found(request)

    connected.answers[LIST] = fail_later
    app = run("logs", q="invoice")
    assert shown_rows(app) == [2, 2]
    assert "took too long" in texts(app)
    connected.answers[LIST] = found
    app.button("search_on").click().run()
    assert shown_rows(app) == [3, 3]


def test_a_search_waits_while_a_call_is_open(connected):
    connected.answers[LIST] = haystack = Haystack(1, 1, 1)
    app = run("logs", q="invoice", log=logs()[0].log_id)
    assert haystack.calls == 1
    assert "Searching, back to 25 Nov" in texts(app)


def test_what_is_live_searches_a_step_with_each_refresh(connected):
    connected.answers[LIST] = haystack = Haystack(1, 1, 1)
    app = run("logs", q="invoice", live="1")
    assert haystack.calls == 2
    app.run()
    assert haystack.calls == 3


def test_counts_say_which_filters_they_do_not_know(connected):
    assert "Counted without" not in texts(run("logs", provider="openai"))
    app = run("logs", user="user-001")
    assert "Counted without the filter user:" in texts(app)
    assert "in all" not in texts(app)


# -- states ------------------------------------------------------------------------------------------------


def test_never_any_data(connected):
    connected.answers[LIST] = pb.ListLogsResponse()
    assert "Waiting for the first one" in texts(run("logs"))


def test_no_match_says_when_something_matched_last(connected):
    def nothing_today(request):
        recent = request.time_range.start_time.seconds > NOW.timestamp() - 40 * 86_400
        return pb.ListLogsResponse(logs=[] if recent else logs()[7:8])

    connected.answers[LIST] = nothing_today
    app = run("logs", user="user-001")
    assert "No calls match user = user-001 in this window" in texts(app)
    assert "Last matching call:" in texts(app)
    app.button("open_last").click().run()
    assert query_of(app, "log") == logs()[7].log_id
    assert connected.requests_to(GET)[-1].log_id == logs()[7].log_id


def test_a_server_that_stops_answering_leaves_the_last_calls(connected, monkeypatch):
    app = run("logs")
    assert len(app.dataframe) == 2  # one of them for phones
    connected.hang()
    choose_timeout(monkeypatch, "0.2")
    app.run()
    assert "Stale since 15:21:04" in texts(app)
    assert len(app.dataframe) == 2
    connected.resume()
    choose_timeout(monkeypatch, UNHURRIED_S)
    app.button("retry").click().run()
    assert "Stale" not in texts(app)


@pytest.mark.parametrize("method", ["GetSummary", "QueryTimeSeries"])
def test_the_table_stands_though_the_strip_fails(method, connected):
    connected.answers[f"AnalyticsService.{method}"] = QueryTookTooLong()
    app = run("logs")
    assert len(app.dataframe) == 2
    assert not app.error


def test_the_strip_stands_though_the_table_fails(connected):
    connected.answers[LIST] = QueryTookTooLong()
    app = run("logs")
    assert "QUERY_TIMEOUT" in texts(app)
    assert "success 13.4 k" in str(app.main)


@pytest.mark.parametrize("log_id", ["nope", "01a213f0-0000-7000-8000-ffffffffffff"])
def test_a_call_that_is_not_there(log_id, connected):
    assert "There is no such call" in texts(run("logs", log=log_id))


def test_a_call_without_text_and_price(connected):
    connected.answers[GET] = pb.GetLogResponse(log=Log(log_id="l", provider="p", model="m"))
    words = texts(run("logs", log="l"))
    assert "No text is kept of this call" in words
    assert "no price known" in words
    assert "None" not in words


@pytest.mark.parametrize("query", [{"trace": "0" * 32}, {"session": "nobody"}])
def test_a_trace_of_which_nothing_is_stored(query, connected):
    assert "No call of this trace is stored" in texts(run("trace", **query))


def test_the_trace_page_lists_traces(connected):
    app = run("trace", window="7d")
    (row,) = app.dataframe[0].value.to_dict("records")
    assert row["Trace"].endswith(f"?trace={TRACE_ID}")
    # Numbers, not texts: a table sorts them.
    assert (row["Root"], row["Duration"], row["Steps"], row["Tokens"]) == ("answer a question", 4000, 3, 1234)
    assert row["Cost"] is None
    assert "1 trace in this window." in texts(app)
    asked = connected.requests_to("TraceService.ListTraces")[-1].time_range
    assert asked.end_time.ToDatetime() - asked.start_time.ToDatetime() > timedelta(days=6)
    assert "No trace of this window is like that" in texts(run("trace", root="nobody"))
    run("trace", failed="1")
    assert connected.requests_to("TraceService.ListTraces")[-1].errors_only
    connected.answers["TraceService.ListTraces"] = ListTracesResponse()
    assert "Open a trace from a call on the Logs page" in texts(run("trace"))


def test_a_trace_sums_up_and_shows_the_call_that_was_chosen(connected):
    log = next(log for log in logs() if log.trace_id == TRACE_ID)
    words = texts(run("trace", trace=TRACE_ID, log=log.log_id))
    assert "7.20 s" in words
    assert log.input_preview in words
    assert connected.requests_to("TraceService.GetTrace")[0].trace_id == TRACE_ID


# -- safe text ---------------------------------------------------------------------------------------------


HOSTILE = (
    "![x](http://evil.example/?q=1) <img src=//evil.example> :red[x] $y$ [a](http://b) `c` :material/add:"
)
MARKUP = re.compile(r"(?<!\\)(!\[x|<img|:red\[x|\$y|\[a\]|`c|:material/add|http:)")


def test_what_others_wrote_is_shown_as_it_is(connected):
    """In every field of a log that may hold text."""
    log = Log(log_id="l", outcome=OUTCOME_ERROR, tags=[HOSTILE], metadata={HOSTILE: HOSTILE})
    for field in log.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING and not field.is_repeated and field.name != "log_id":
            setattr(log, field.name, HOSTILE)
    connected.answers[GET] = pb.GetLogResponse(log=log)
    connected.answers[LIST] = pb.ListLogsResponse(logs=[log])
    connected.answers["TraceService.GetTrace"] = TraceServiceGetTraceResponse(logs=[log])
    for app in (run("logs", log="l"), run("trace", trace="t", log="l")):
        for kind in (app.markdown, app.caption, app.error, app.info, app.header):
            for element in kind:
                assert not MARKUP.search(element.value), element.value
        assert any(element.value == HOSTILE for element in app.code)


# -- parts -------------------------------------------------------------------------------------------------


def test_a_rank_says_which_way():
    log = Log(model="m")
    rank = pb.LogRank(faster_share=0.97, compared_count=4310)
    assert describe_rank(rank, log) == "Slower than 97.0 % of 4,310 calls to m that day (UTC)."
    rank.faster_share = 0.2
    assert describe_rank(rank, log).startswith("Faster than 80.0 %")


def test_speed_counts_from_the_first_token():
    log = Log(output_token_count=90)
    assert tokens_per_second(log) is None
    log.latency.seconds = 2
    log.time_to_first_token.nanos = 500_000_000
    assert tokens_per_second(log) == 60


def test_a_call_that_came_again_stands_once_as_it_came_last():
    old, new = logs()[1], Log()
    new.CopyFrom(old)
    new.error_code = "late"
    merged = merge_newest([new], logs()[:3], limit=10)
    assert [log.log_id for log in merged] == [log.log_id for log in logs()[:3]]
    assert merged[1].error_code == "late"
    assert len(merge_newest([], logs()[:3], limit=2)) == 2


async def test_the_live_tail_follows_until_it_is_let_go(connected):
    connected.answers["EventService.WatchLogs"] = lambda _: iter([
        WatchLogsResponse(),
        WatchLogsResponse(logs=logs()[:2], missed_count=3),
        QueryTookTooLong(),
    ])  # fmt: skip
    tail = LiveTail(Filters(user=("u",)).to_log_filter())
    await eventually(lambda: tail.has_ended)
    read = tail.read()
    assert {log.log_id for log in read.logs} == {log.log_id for log in logs()[:2]}
    assert read.missed == 3
    assert read.error is not None
    assert connected.requests_to("EventService.WatchLogs")[0].filter.user_id == "u"


async def test_what_a_live_tail_received_stays_when_its_stream_ends(connected):
    old, new = logs()[:2]
    connected.answers["EventService.WatchLogs"] = lambda _: iter([
        WatchLogsResponse(logs=[old], missed_count=3),
        QueryTookTooLong(),
    ])  # fmt: skip
    first = LiveTail(Filters().to_log_filter())
    await eventually(lambda: first.has_ended)
    connected.answers["EventService.WatchLogs"] = lambda _: iter(
        [WatchLogsResponse(logs=[new], missed_count=1)]
    )
    second = LiveTail(Filters().to_log_filter(), before=first)
    await eventually(lambda: second.has_ended)
    assert second.read() == ([new, old], 4, None)


def test_a_call_says_by_which_emitters_it_came():
    log = Log(source="com.anthropic.sdk.python")
    assert describe_source(log) == "Reported by com.anthropic.sdk.python."
    log.metadata["also_reported_by"] = "pydantic-ai"
    assert describe_source(log).startswith("Reported by com.anthropic.sdk.python, also by pydantic-ai")
