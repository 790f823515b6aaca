"""What axe-core finds on every page, in both themes: nothing serious.

`make test-pictures` asks the same of every state at both widths.
"""

from __future__ import annotations

import pytest

from tests.support.ui.accessibility import find_violations
from tests.support.ui.browser import settled
from tests.support.ui.operations_sample import serve_operations
from tests.support.ui.sample_chats import conversation_id, serve_chats
from tests.support.ui.sample_logs import TRACE_ID, logs

pytestmark = pytest.mark.browser
PAGES = {
    "/": "Recent errors",
    "/?provider=nobody": "Requests",
    "/logs?outcome=error": "calls, 25 Nov",
    f"/logs?log={logs()[0].log_id}": "Permalink",
    f"/trace?trace={TRACE_ID}": "Click on a call",
    "/analytics": "How many sessions have",
    "/analytics?report=cost-by-day&window=30d": "Parquet",
    "/analytics?tab=sql&sql=SELECT%201": "Parquet",
    "/chat": "What would you like",
    f"/chat?conversation={conversation_id(0)}": "In short:",
    f"/conversations?conversation={conversation_id(0)}": "of waiting",
    "/operations": "1 batch never arrived.",
    "/operations?tab=alerts": "Budgets",
    "/operations?tab=storage": "All numbers are merged.",
    "/operations?tab=keys": "New key",
}


@pytest.fixture
def whole(fake):
    serve_chats(fake)
    serve_operations(fake)


@pytest.mark.parametrize(("address", "words"), PAGES.items())
async def test_axe_finds_nothing_serious(address, words, browser_page, whole):
    await browser_page.goto(address)
    await browser_page.get_by_text(words).first.wait_for()
    await settled(browser_page)
    found = await find_violations(browser_page)
    await browser_page.emulate_media(color_scheme="dark")
    await settled(browser_page)
    found += await find_violations(browser_page, "color-contrast")
    assert not found, "\n".join(found)
