"""Window and filters: what a URL says, and what the server is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlit_app import clock
from streamlit_app.data.analytics import to_query, window_before
from streamlit_app.state.filters import KEYS, LABELS, MAX_VALUES, Filters
from streamlit_app.state.view import View
from streamlit_app.state.window import PRESETS, Window
from tests.support.properties import examples

NOW = datetime(2026, 11, 25, 15, 21, 4, tzinfo=UTC)
VALUES = {"outcome": "error", "latency": "1..2.5", "ttft": "..0.5"}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_window_is_as_long_as_it_says_and_the_running_step(preset):
    bounds = Window(preset).bounds(NOW)
    length, step, _ = PRESETS[preset]
    assert bounds.end - bounds.start == length + step
    assert bounds.end - step <= NOW < bounds.end
    assert (bounds.start - datetime(1970, 1, 1, tzinfo=UTC)) % step == timedelta(0)
    assert 55 <= length / step <= 100
    asked = bounds.to_time_range(NOW)
    assert asked.end_time.ToDatetime(tzinfo=UTC) == NOW
    assert asked.start_time.ToDatetime(tzinfo=UTC) == bounds.start


@pytest.mark.parametrize(
    ("length", "age", "step"),
    [
        (timedelta(minutes=1), timedelta(0), timedelta(minutes=1)),
        (timedelta(hours=2), timedelta(0), timedelta(minutes=2)),
        (timedelta(hours=2), timedelta(days=5), timedelta(hours=1)),
        (timedelta(days=365), timedelta(0), timedelta(days=7)),
    ],
)
def test_a_chosen_range_has_steps_that_the_server_keeps(length, age, step):
    end = NOW - age
    bounds = Window.between(end - length, end).bounds(NOW)
    assert bounds.step == step
    assert bounds.start == (end - length).replace(second=0)


def test_a_range_is_no_longer_than_the_server_counts():
    assert Window.between(NOW - timedelta(days=999), NOW).bounds(NOW).start > NOW - timedelta(days=367)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_window_before_is_as_long_and_has_steps_that_the_server_keeps(preset, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    query = to_query(View(Window(preset)), NOW)
    before = window_before(query)
    assert before.bounds.end == query.bounds.start
    assert before.bounds.end - before.bounds.start == NOW - query.bounds.start
    assert before.bounds.step % query.bounds.step == timedelta(0)
    if before.bounds.start < NOW - timedelta(hours=48):
        assert before.bounds.step % timedelta(hours=1) == timedelta(0)


times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone added
windows = st.one_of(st.sampled_from(list(PRESETS)).map(Window), st.builds(Window.between, times, times))
words = st.text(min_size=1, max_size=30).filter(str.strip)


@st.composite
def filters(draw):
    chosen = {key: draw(st.lists(words, max_size=3)) for key in KEYS if key not in VALUES}
    return Filters.from_query(
        {**chosen, **{key: [value] for key, value in VALUES.items() if draw(st.booleans())}}
    )


@given(windows, filters())
@examples(200)
def test_a_view_survives_its_url(window, chosen):
    view = View(window, chosen)
    assert View.from_query(view.to_query()) == view


def test_a_default_leaves_the_url_empty():
    assert View().to_query() == {}


@pytest.mark.parametrize(
    "query",
    [
        {"window": ["2 fortnights"]},
        {"window": []},
        {"from": ["yesterday"], "to": ["today"]},
        {"from": ["2026-11-25T10:00Z"]},
        {"from": ["2026-11-25T10:00Z"], "to": ["2026-11-25T09:00Z"]},
        {"outcome": ["perhaps"], "latency": ["fast"], "provider": ["", "  "]},
        {"unknown": ["x"]},
    ],
)
def test_what_a_url_should_not_say_is_ignored(query):
    assert View.from_query(query) == View()


def test_more_values_than_the_server_takes_are_cut():
    assert len(Filters.from_query({"model": [str(number) for number in range(99)]}).model) == MAX_VALUES


def test_every_filter_has_a_label_and_reaches_the_server():
    assert list(LABELS) == list(KEYS)
    empty = Filters().to_log_filter()
    for key in KEYS:
        assert Filters.from_query({key: [VALUES.get(key, "x")]}).to_log_filter() != empty, key


def test_numbers_are_asked_for_by_the_filters_that_they_have():
    view = View.from_query({"provider": ["openai"], "user": ["u1"], "window": ["7d"]})
    assert view.metrics_only().to_query() == {"provider": ["openai"], "window": ["7d"]}
    assert list(view.filters.to_metric_filter().providers) == ["openai"]
    assert view.filtered("model", "a", "b").filters.model == ("a", "b")
    assert view.filters.without("provider", "openai").provider == ()
