"""How Logs and Trace look in each of their states, at both widths and in both themes."""

from __future__ import annotations

import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, Log

from server.rpc.errors import QueryTookTooLong
from tests.support.ui.pictures import assert_picture
from tests.support.ui.sample_logs import TRACE_ID, list_logs, logs

pytestmark = pytest.mark.browser
ROWS = 12
SUCCEEDED = next(log for log in logs() if log.streamed and log.outcome == 1 and not log.trace_id)
FAILED = next(log for log in logs() if log.trace_id == TRACE_ID and log.error_code == "timeout")
WITHOUT_TEXT = Log(
    log_id="l", provider="ollama", model="llama4:8b", outcome=OUTCOME_SUCCESS, start_time=FAILED.start_time
)


@pytest.fixture
def few(fake):
    """Few calls a page, so that pictures are small."""

    def list_few(request: pb.ListLogsRequest) -> pb.ListLogsResponse:
        request.page_size = min(request.page_size, ROWS)
        return list_logs(request)

    fake.answers["AnalyticsService.ListLogs"] = list_few
    return fake


async def rows_are_there(page) -> None:
    await page.locator(".st-key-logs_wide canvas, .st-key-logs_narrow canvas").first.wait_for(
        state="attached"
    )
    await page.locator("[aria-label^='Calls over time']").first.wait_for()


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("logs", "", "calls, 25 Nov"),
        ("logs-filtered", "?outcome=error&q=limit&window=7d", "the end of the window"),
        ("logs-call", f"?log={SUCCEEDED.log_id}", "Slower than"),
        ("logs-failed-call", f"?log={FAILED.log_id}", "Request timed out."),
        ("logs-call-not-found", "?log=nope", "There is no such call"),
        ("logs-no-match", "?user=nobody", "No calls match"),
    ],
)
async def test_logs(name, query, words, look_page, few, tmp_path):
    await look_page.goto(f"/logs{query}")
    if "no-match" not in name:
        await rows_are_there(look_page)
    # Tables hold their texts, too, hidden: what a drawer says is looked for in the drawer.
    place = look_page.get_by_role("dialog") if "log=" in query else look_page
    await place.get_by_text(words).first.wait_for()
    await assert_picture(look_page, name, tmp_path)


async def test_a_call_without_text_or_price(look_page, few, tmp_path):
    few.answers["AnalyticsService.GetLog"] = pb.GetLogResponse(log=WITHOUT_TEXT)
    await look_page.goto("/logs?log=l")
    await rows_are_there(look_page)
    await look_page.get_by_text("No text is kept").wait_for()
    await assert_picture(look_page, "logs-call-without-text", tmp_path)


@pytest.mark.parametrize("tab", ["Trace", "Fields"])
async def test_the_tabs_of_a_call(tab, look_page, few, tmp_path):
    await look_page.goto(f"/logs?log={FAILED.log_id}")
    await rows_are_there(look_page)
    await look_page.get_by_role("tab", name=tab).click()
    shown = look_page.get_by_role("treeitem") if tab == "Trace" else look_page.get_by_text("span_id")
    await shown.first.wait_for()
    await assert_picture(look_page, f"logs-{tab.lower()}", tmp_path)


async def test_no_logs_yet(look_page, fake, tmp_path):
    fake.answers["AnalyticsService.ListLogs"] = pb.ListLogsResponse()
    await look_page.goto("/logs")
    await look_page.get_by_text("No calls yet").wait_for()
    await assert_picture(look_page, "logs-no-data", tmp_path)


async def test_stale_logs(look_page, few, tmp_path):
    await look_page.goto("/logs")
    await rows_are_there(look_page)
    few.hang()
    await look_page.keyboard.press("u")
    await look_page.get_by_text("Stale since").wait_for()
    await assert_picture(look_page, "logs-stale", tmp_path)


async def test_a_part_of_the_logs_page(look_page, few, tmp_path):
    few.answers["AnalyticsService.QueryTimeSeries"] = QueryTookTooLong()
    await look_page.goto("/logs")
    await look_page.get_by_text("QUERY_TIMEOUT").wait_for()
    await assert_picture(look_page, "logs-partial", tmp_path)


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("trace", f"?trace={TRACE_ID}&log={FAILED.log_id}", "Request timed out."),
        ("trace-missing", f"?trace={'0' * 32}", "No call of this trace"),
        ("session", "?session=session-03", "Click on a call"),
    ],
)
async def test_trace(name, query, words, look_page, fake, tmp_path):
    await look_page.goto(f"/trace{query}")
    if name != "trace-missing":
        await look_page.get_by_role("treeitem").first.wait_for()
    await look_page.get_by_text(words).first.wait_for()
    await assert_picture(look_page, name, tmp_path)
