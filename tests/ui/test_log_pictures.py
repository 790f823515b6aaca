"""How Logs, Traces and Setup look in each of their states, at both widths and in both themes."""

from __future__ import annotations

import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, Log
from llm_observe.v1.trace_service_pb2 import ListTracesResponse

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
    """Few calls, so that pictures are small. A page that is not full is the last one."""

    def list_few(request: pb.ListLogsRequest) -> pb.ListLogsResponse:
        request.page_size = min(request.page_size, ROWS)
        answer = list_logs(request)
        answer.next_page_token = ""
        return answer

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
    ],
)
async def test_logs(name, query, words, look_page, few, tmp_path):
    await look(look_page, query, words)
    await assert_picture(look_page, name, tmp_path)


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("logs-failed-call", f"?log={FAILED.log_id}", "Request timed out."),
        ("logs-call-not-found", "?log=nope", "There is no such call"),
        ("logs-no-match", "?user=nobody", "No calls match"),
    ],
)
async def test_states_of_logs(name, query, words, state_page, few, tmp_path):
    await look(state_page, query, words)
    await assert_picture(state_page, name, tmp_path)


async def look(page, query: str, words: str) -> None:
    await page.goto(f"/logs{query}")
    if words != "No calls match":
        await rows_are_there(page)
    # Tables hold their texts, too, hidden: what a drawer says is looked for in the drawer.
    place = page.get_by_role("dialog") if "log=" in query else page
    await place.get_by_text(words).first.wait_for()


async def test_a_call_without_text_or_price(state_page, few, tmp_path):
    few.answers["AnalyticsService.GetLog"] = pb.GetLogResponse(log=WITHOUT_TEXT)
    await look(state_page, "?log=l", "No text is kept")
    await assert_picture(state_page, "logs-call-without-text", tmp_path)


@pytest.mark.parametrize("tab", ["Trace", "Fields"])
async def test_the_tabs_of_a_call(tab, state_page, few, tmp_path):
    await state_page.goto(f"/logs?log={FAILED.log_id}")
    await rows_are_there(state_page)
    await state_page.get_by_role("tab", name=tab).click()
    shown = state_page.get_by_role("treeitem") if tab == "Trace" else state_page.get_by_text("span_id")
    await shown.first.wait_for()
    await assert_picture(state_page, f"logs-{tab.lower()}", tmp_path)


async def test_no_logs_yet(state_page, fake, tmp_path):
    fake.answers["AnalyticsService.ListLogs"] = pb.ListLogsResponse()
    fake.answers["AnalyticsService.GetSummary"] = pb.GetSummaryResponse(current=pb.Metrics())
    fake.answers["AnalyticsService.QueryTimeSeries"] = pb.QueryTimeSeriesResponse()
    await state_page.goto("/logs")
    await state_page.get_by_text("No calls yet").wait_for()
    await assert_picture(state_page, "logs-no-data", tmp_path)


async def test_stale_logs(hurried_page, few, tmp_path):
    await hurried_page.goto("/logs")
    await rows_are_there(hurried_page)
    few.hang()
    await hurried_page.keyboard.press("u")
    await hurried_page.get_by_text("Stale since").wait_for()
    await assert_picture(hurried_page, "logs-stale", tmp_path)


async def test_a_part_of_the_logs_page(state_page, few, tmp_path):
    few.answers["AnalyticsService.QueryTimeSeries"] = QueryTookTooLong()
    await state_page.goto("/logs")
    await state_page.get_by_text("QUERY_TIMEOUT").wait_for()
    await assert_picture(state_page, "logs-partial", tmp_path)


async def test_logs_searched_in_part(state_page, fake, tmp_path):
    """The server has not come further: the visitor is asked whether to search on."""

    def list_part(request: pb.ListLogsRequest) -> pb.ListLogsResponse:
        request.page_size = min(request.page_size, ROWS)
        return list_logs(request)

    fake.answers["AnalyticsService.ListLogs"] = list_part
    await state_page.goto("/logs")
    await state_page.get_by_text("Search on").wait_for()
    await assert_picture(state_page, "logs-searched", tmp_path)


async def test_logs_loading(state_page, fake, tmp_path):
    fake.hang()
    await state_page.goto("/logs")
    await state_page.get_by_test_id("stSkeletonElement").first.wait_for()
    await assert_picture(state_page, "logs-loading", tmp_path, loading=True)


async def test_trace(look_page, fake, tmp_path):
    await look_page.goto(f"/trace?trace={TRACE_ID}&log={FAILED.log_id}")
    await look_page.get_by_role("treeitem").first.wait_for()
    await look_page.get_by_text("Request timed out.").first.wait_for()
    await assert_picture(look_page, "trace", tmp_path)


async def test_trace_that_is_missing(state_page, fake, tmp_path):
    await state_page.goto(f"/trace?trace={'0' * 32}")
    await state_page.get_by_text("No call of this trace").first.wait_for()
    await assert_picture(state_page, "trace-missing", tmp_path)


async def test_session(state_page, fake, tmp_path):
    await state_page.goto("/trace?session=session-03")
    await state_page.get_by_role("treeitem").first.wait_for()
    await state_page.get_by_text("Click on a call").first.wait_for()
    await assert_picture(state_page, "session", tmp_path)


async def test_trace_loading(state_page, fake, tmp_path):
    fake.hang()
    await state_page.goto(f"/trace?trace={TRACE_ID}")
    await state_page.get_by_test_id("stSkeletonElement").first.wait_for()
    await assert_picture(state_page, "trace-loading", tmp_path, loading=True)


async def test_trace_without_an_answer(hurried_page, fake, tmp_path):
    fake.hang()
    await hurried_page.goto(f"/trace?trace={TRACE_ID}")
    await hurried_page.get_by_text("No answer from").wait_for()
    await assert_picture(hurried_page, "trace-no-answer", tmp_path)


async def test_traces(look_page, fake, tmp_path):
    await look_page.goto("/trace")
    await look_page.get_by_text("1 trace in this window.").wait_for()
    await assert_picture(look_page, "traces", tmp_path)


async def test_traces_none(state_page, fake, tmp_path):
    fake.answers["TraceService.ListTraces"] = ListTracesResponse()
    await state_page.goto("/trace")
    await state_page.get_by_text("Open a trace from a call").wait_for()
    await assert_picture(state_page, "traces-none", tmp_path)


async def test_setup(state_page, fake, tmp_path):
    await state_page.goto("/setup")
    await state_page.get_by_text("The first call is on the Logs page").wait_for()
    await assert_picture(state_page, "setup", tmp_path)
