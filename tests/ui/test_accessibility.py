"""What axe-core finds on the pages, in both themes: nothing serious.

Further states are looked at by `make test-pictures`.
"""

from __future__ import annotations

from typing import Any

import pytest
from llm_observe.v1 import analytics_service_pb2 as pb

from tests.support.ui.accessibility import find_violations
from tests.support.ui.browser import answered
from tests.support.ui.operations_sample import serve_operations
from tests.support.ui.sample_chats import conversation_id, serve_chats
from tests.support.ui.sample_logs import TRACE_ID, log_answers, logs

pytestmark = pytest.mark.browser
PAGES = {
    "/": "Recent errors",
    f"/logs?log={logs()[0].log_id}": "Slower than",
    f"/trace?trace={TRACE_ID}": "Click on a call",
    "/analytics?report=cost-by-day&window=30d": "Read at",
    f"/chat?conversation={conversation_id(0)}": "In short:",
    f"/conversations?conversation={conversation_id(0)}": "of waiting",
    "/operations": "1 batch never arrived.",
}
OTHER_STATES = {
    "/?provider=nobody": "No calls match",
    "/logs?outcome=error": "the end of the window",
    "/analytics": "How many sessions have",
    "/analytics?tab=sql&sql=SELECT%201": "Read at",
    "/chat": "is in the logs",
    "/operations?tab=alerts": "Budgets",
    "/operations?tab=storage": "All numbers are merged.",
    "/operations?tab=keys": "New key",
}
"""Addresses, and words by which the answer is known."""
THEME = "theme => getComputedStyle(document.querySelector('.stApp')).colorScheme === theme"
STILL = "() => document.getAnimations().every(each => each.playState !== 'running')"


@pytest.fixture
def whole(fake):
    serve_chats(fake)
    serve_operations(fake)
    of_chats = fake.answers["AnalyticsService.ListLogs"]
    of_all: Any = log_answers()["AnalyticsService.ListLogs"]

    def answer(request):
        return of_chats(request) if request.filter.conversation_id else of_all(request)

    fake.answers["AnalyticsService.ListLogs"] = answer
    return fake


async def show(page, theme: str) -> None:
    await page.emulate_media(color_scheme=theme)
    await page.wait_for_function(THEME, arg=theme)
    await answered(page)
    await page.wait_for_function(STILL)


@pytest.mark.parametrize(
    "pages", [PAGES, pytest.param(OTHER_STATES, marks=pytest.mark.pictures)], ids=["pages", "states"]
)
async def test_axe_finds_nothing_serious(pages, browser_page, whole):
    found = []
    for address, words in pages.items():
        await browser_page.goto(address)
        await browser_page.get_by_text(words).filter(visible=True).first.wait_for()
        await show(browser_page, "light")
        problems = await find_violations(browser_page)
        await show(browser_page, "dark")
        problems += await find_violations(browser_page, "color-contrast")
        found += [f"{address}: {each}" for each in problems]
    assert not found, "\n".join(found)


@pytest.mark.pictures
async def test_axe_finds_nothing_serious_where_there_is_no_data(browser_page, whole):
    whole.answers["AnalyticsService.GetSummary"] = pb.GetSummaryResponse(
        current=pb.Metrics(), previous=pb.Metrics()
    )
    whole.answers["AnalyticsService.ListLogs"] = pb.ListLogsResponse()
    await browser_page.goto("/")
    await browser_page.get_by_text("No calls yet").wait_for()
    await show(browser_page, "light")
    assert await find_violations(browser_page) == []
