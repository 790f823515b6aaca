"""What pages ask, the real server answers: every window, with its window before."""

from __future__ import annotations

import asyncio

import pytest

from streamlit_app import clock
from streamlit_app.data import analytics
from streamlit_app.data.connection import forget_connection
from streamlit_app.data.server import check_health, list_projects, sum_ledger
from streamlit_app.panels.breakdown import course_step
from streamlit_app.state.filters import KEYS, Filters
from streamlit_app.state.view import View
from streamlit_app.state.window import PRESETS, Window
from tests.support.ui.app import UNHURRIED_S

VALUES = {"outcome": ("error",), "latency": ("1..2",), "ttft": ("..2",), "trace": ("0" * 31 + "1",)}


@pytest.fixture
def connected(server, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_GRPC_PORT", str(server.port))
    monkeypatch.setenv("LLM_OBSERVE_UI_TIMEOUT_S", UNHURRIED_S)
    forget_connection()
    yield
    forget_connection()


@pytest.mark.parametrize("preset", PRESETS)
async def test_every_window_is_answered(connected, preset):
    query = analytics.to_query(View(Window(preset)), clock.now())
    before = analytics.window_before(query)
    for call in (
        lambda: analytics.get_summary(query),
        lambda: analytics.query_time_series(query, "model"),
        lambda: analytics.query_time_series(query, "model", course_step(query.bounds)),
        lambda: analytics.query_time_series(before),
        lambda: analytics.query_breakdown(before, "user"),
        lambda: analytics.count_error_codes(query, ["openai"]),
        lambda: analytics.list_facets(query),
        lambda: analytics.list_errors(query),
        lambda: analytics.list_releases(query),
        lambda: sum_ledger(query.time_range),
    ):
        await asyncio.to_thread(call)


@pytest.mark.parametrize("key", KEYS)
async def test_every_filter_of_logs_is_understood(connected, key):
    filters = Filters(**{key: VALUES.get(key, ("x",))})
    query = analytics.to_query(View(filters=filters), clock.now())
    assert not (await asyncio.to_thread(analytics.list_logs, query)).logs
    assert await asyncio.to_thread(analytics.find_last_log, filters.to_log_filter()) is None


async def test_the_sidebar_is_answered(connected):
    assert (await asyncio.to_thread(check_health)).version
    assert await asyncio.to_thread(list_projects)
