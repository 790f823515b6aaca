"""What every page has: the sidebar, the header, and links that carry the window and the filters."""

from __future__ import annotations

from datetime import datetime

import pytest
from llm_observe.v1 import health_service_pb2 as health
from streamlit.testing.v1 import AppTest

from streamlit_app.components.sidebar import describe
from streamlit_app.data.connection import ServerError
from streamlit_app.data.reads import Read
from streamlit_app.data.server import Ledger
from streamlit_app.panels.ledger import describe as describe_ledger
from streamlit_app.state.filters import Filters
from tests.support.ui.app import ROOT, page
from tests.support.ui.operations_sample import serve_operations


@pytest.fixture
def app(connected):
    return AppTest.from_file(str(ROOT / "streamlit_app/main.py"), default_timeout=120)


def sidebar_links(app) -> dict[str, str]:
    return {link.proto.page: link.proto.query_string for link in app.sidebar.get("page_link")}


def test_links_carry_the_window_and_the_filters(app):
    app.query_params |= {"window": "7d", "provider": ["openai", "a b"], "unknown": "x"}
    app.run()
    assert not app.exception
    links = sidebar_links(app)
    assert links[""] == "window=7d&provider=openai&provider=a+b"
    assert links["chat"] == ""


def test_the_sidebar_names_groups_project_and_version(app):
    app.run()
    captions = [caption.value.replace("\\", "") for caption in app.sidebar.caption]
    assert "Observe" in captions
    assert "Talk" in captions
    assert captions[-1] == "queue 0 · Default · v0.1.0"


def test_no_page_waits_for_the_health_line(app, connected):
    app.run()
    # What the key may do is asked for first, once: the page may be closed to it.
    assert connected.requests[0][0] == "AdminService.GetCaller"
    assert connected.requests[1][0].startswith("AnalyticsService")
    assert connected.requests[-1][0].startswith(("HealthService", "AdminService"))


def answered(**fields) -> Read[health.CheckResponse]:
    read: Read[health.CheckResponse] = Read()
    read.value = health.CheckResponse(**fields)
    return read


def failed(value: health.CheckResponse | None) -> Read[health.CheckResponse]:
    read: Read[health.CheckResponse] = Read()
    read.value, read.error = value, ServerError("x", "UNAVAILABLE", unreachable=True)
    return read


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (
            answered(state=health.HEALTH_STATE_HEALTHY, queue=health.QueueHealth(depth=0)),
            ("green", "healthy · queue 0"),
        ),
        (
            answered(
                state=health.HEALTH_STATE_DEGRADED,
                queue=health.QueueHealth(depth=12_400),
                dead_letter_count=1,
            ),
            ("orange", "needs attention · queue 12.4 k · 1 dead letter"),
        ),
        (
            answered(state=health.HEALTH_STATE_UNHEALTHY, dead_letter_count=2),
            ("red", "unhealthy · 2 dead letters"),
        ),
        (answered(), ("gray", "unknown")),
        (failed(None), ("red", "no answer")),
        (failed(health.CheckResponse(state=health.HEALTH_STATE_HEALTHY)), ("red", "no answer")),
    ],
)
def test_the_health_line_tells_how_the_server_is(read, words):
    assert describe(read) == words


FOOT = """line => [innerHeight - line.getBoundingClientRect().bottom,
    getComputedStyle(line.querySelector("a")).backgroundColor]"""


@pytest.mark.browser
async def test_the_line_on_the_server_is_at_the_foot_and_never_the_open_page(browser_page, fake):
    serve_operations(fake)
    await browser_page.goto("/operations")  # where it leads to
    line = browser_page.locator(".st-key-server_line")
    await line.get_by_text("Default").wait_for()
    below_px, background = await line.evaluate(FOOT)
    assert 0 <= below_px < 60
    assert background == "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        (Ledger(), "Sent 0 = 0 stored · 0 dropped by producers"),
        (Ledger(sent=22_007, stored=22_007), "Sent 22,007 = 22,007 stored · 0 dropped by producers"),
        (
            Ledger(20, 10, 3, 2, 1, dropped=7, missing_batches=1),
            (
                "Sent 20 = 10 stored + 3 stored before + 4 queued + 2 rejected + 1 in dead letters · "
                "7 dropped by producers · 1 batch never arrived"
            ),
        ),
        (Ledger(5, 5, is_whole=False), "Sent at least 5 = 5 stored · 0 dropped by producers"),
    ],
)
def test_the_ledger_is_a_sum_that_adds_up(ledger, words):
    assert describe_ledger(ledger) == words


def test_a_custom_range_is_in_the_url_and_asked_for(connected):
    app = page("dashboard").run()
    app.datetime_input("header_start").set_value(datetime(2026, 11, 20, 8, 0)).run()  # noqa: DTZ001 - the viewer's zone
    assert (
        app.query_params["from"] == ["2026-11-20T08:00Z"] or app.query_params["from"] == "2026-11-20T08:00Z"
    )
    asked = connected.requests_to("AnalyticsService.GetSummary")[-1].time_range
    assert asked.start_time.ToJsonString() == "2026-11-20T08:00:00Z"


def test_a_preset_replaces_the_range(connected):
    app = page("dashboard", **{"from": "2026-11-20T08:00Z", "to": "2026-11-21T08:00Z"}).run()
    app.segmented_control("header_preset").set_value("6h").run()
    assert "from" not in app.query_params
    assert app.query_params["window"] == "6h"


def test_filters_reach_every_request(connected):
    page("dashboard", provider=["openai", "gemini"], env="production", user="u1").run()
    expected = Filters(provider=("openai", "gemini"), env=("production",)).to_metric_filter()
    for method in ("GetSummary", "QueryTimeSeries", "ListErrors"):
        for request in connected.requests_to(f"AnalyticsService.{method}"):
            assert request.filter == expected, method
