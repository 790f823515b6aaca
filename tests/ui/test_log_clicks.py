"""Logs and Trace in a browser: clicks, drags and keys; everything that a link should carry is in the URL."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from llm_observe.v1.analytics_service_pb2 import ListErrorsResponse, ListLogsResponse
from llm_observe.v1.conversation_pb2 import ROLE_USER, Conversation, Message
from llm_observe.v1.conversation_service_pb2 import GetConversationResponse, ListConversationsResponse
from llm_observe.v1.event_service_pb2 import WatchLogsResponse
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, Log
from llm_observe.v1.trace_service_pb2 import TraceServiceGetTraceResponse

from tests.support.ui.browser import click_row as click_table_row
from tests.support.ui.sample import NOW
from tests.support.ui.sample_logs import TRACE_ID, logs
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser
ROW_PX, HEAD_PX = 32, 36
LEFT_MS = 500
"""How long after the mouse has left the rows they are still held, in milliseconds; see hover.js."""


def query_of(page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


async def open_logs(page, query: str = ""):
    await page.goto(f"/logs{query}")
    await page.get_by_text(re.compile(r"\d+ calls, ")).wait_for()
    await strip(page).wait_for()


def strip(page):
    return page.locator("[aria-label^='Calls over time']").first


async def click_row(page, number: int, table: str = "wide") -> None:
    await click_in_table(page, f".st-key-logs_{table}", number)


async def click_in_table(page, selector: str, number: int) -> None:
    canvas = page.locator(f"{selector} canvas").first
    await canvas.wait_for()
    await canvas.scroll_into_view_if_needed()
    await page.wait_for_timeout(1000)  # rows are drawn after the table
    box = await canvas.bounding_box()
    await page.mouse.click(box["x"] + 60, box["y"] + HEAD_PX + ROW_PX * number + ROW_PX // 2)


async def test_a_row_opens_beside_the_list_and_keys_lead_to_its_neighbours(browser_page):
    page = browser_page
    await open_logs(page)
    await click_row(page, 1)
    drawer = page.get_by_role("dialog")
    await drawer.get_by_text("2 of 50 on this page").wait_for()
    assert query_of(page) == {"log": [logs()[1].log_id]}
    await drawer.get_by_text("First token", exact=True).wait_for()

    await page.keyboard.press("j")
    await drawer.get_by_text("3 of 50 on this page").wait_for()
    assert query_of(page) == {"log": [logs()[2].log_id]}
    await drawer.get_by_role("button", name=re.compile("Newer")).click()
    await drawer.get_by_text("2 of 50 on this page").wait_for()

    await page.reload()  # the link alone opens it
    await drawer.get_by_text("2 of 50 on this page").wait_for()
    await page.keyboard.press("Escape")
    await drawer.wait_for(state="detached")
    await eventually(lambda: query_of(page) == {})
    await click_row(page, 1)  # nothing is left selected: the same row opens again
    await drawer.get_by_text("2 of 50 on this page").wait_for()


async def test_a_drag_over_the_strip_and_a_click_on_a_step_narrow_the_window(browser_page):
    page = browser_page
    await open_logs(page)
    box = await eventually(lambda: strip(page).bounding_box())
    middle = box["y"] + 40
    await page.mouse.move(box["x"] + 300, middle)
    await page.mouse.down()
    for place in (330, 380, 450, 520):
        await page.mouse.move(box["x"] + place, middle)
        await page.wait_for_timeout(100)  # as a hand would: the chart must see where the pointer was
    await page.mouse.up()
    await eventually(lambda: {"from", "to"} == set(query_of(page)))
    dragged = query_of(page)
    await strip(page).wait_for()
    await page.wait_for_timeout(1000)  # the new strip is in the place of the old one
    box = await eventually(lambda: strip(page).bounding_box())
    await page.mouse.click(box["x"] + 400, box["y"] + 40)
    await eventually(lambda: {"from", "to"} == set(query_of(page)) and query_of(page) != dragged)


async def test_outcomes_text_and_facets_filter_and_survive_a_reload(browser_page):
    page = browser_page
    await open_logs(page)
    await page.locator(".st-key-panel_pulse").get_by_text(re.compile(r"error \d+")).first.click()
    await page.get_by_role("button", name=re.compile("^Outcome: error")).wait_for()
    await page.get_by_placeholder("text in prompt, answer or error").fill("rate limit")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name=re.compile("^Text: rate limit")).wait_for()
    await page.get_by_role("button", name="Filters (2)").click()
    await page.get_by_label("Provider").click()
    await page.get_by_role("option", name=re.compile(r"^openai \([\d,]+\)")).click()
    await page.get_by_role("button", name=re.compile("^Provider: openai")).wait_for()
    expected = {"outcome": ["error"], "q": ["rate limit"], "provider": ["openai"]}
    assert query_of(page) == expected
    await page.reload()
    badge = page.get_by_role("button", name=re.compile("^Text: rate limit"))
    await badge.wait_for()
    assert await page.get_by_placeholder("text in prompt, answer or error").input_value() == "rate limit"
    await badge.click()
    await badge.wait_for(state="detached")
    assert query_of(page) == {"outcome": ["error"], "provider": ["openai"]}


async def test_from_an_error_on_the_dashboard_to_its_call_its_trace_and_its_conversation(browser_page, fake):
    page = browser_page
    failed = next(log for log in logs() if log.trace_id == TRACE_ID and log.error_code)
    fake.answers["AnalyticsService.ListErrors"] = lambda _: _errors(failed)
    await page.goto("/")
    await click_in_table(page, ".st-key-panel_errors", 0)
    drawer = page.get_by_role("dialog")
    await drawer.get_by_text(failed.error_message).first.wait_for()
    assert query_of(page) == {"outcome": ["error"], "log": [failed.log_id]}
    conversation = drawer.get_by_role("link", name="Conversation")
    assert failed.conversation_id in await conversation.get_attribute("href")

    await drawer.get_by_role("tab", name="Trace").click()
    row = drawer.get_by_role("treeitem", selected=True)
    await row.wait_for()
    assert failed.error_code in await row.inner_text()
    await drawer.get_by_role("link", name="Trace page").click()
    await page.get_by_role("heading", name="Trace").wait_for()
    assert query_of(page) == {"trace": [TRACE_ID], "log": [failed.log_id]}
    await page.get_by_role("treeitem").first.wait_for()
    await page.go_back()
    await drawer.wait_for()


async def test_from_a_card_to_a_call_its_trace_and_to_the_end_of_its_conversation(browser_page, fake):
    page = browser_page
    failed = next(log for log in logs() if log.trace_id == TRACE_ID and log.error_code)
    fake.answers["AnalyticsService.ListLogs"] = ListLogsResponse(logs=[failed])
    fake.answers["ConversationService.ListConversations"] = ListConversationsResponse()
    fake.answers["ConversationService.GetConversation"] = GetConversationResponse(
        conversation=Conversation(conversation_id=failed.conversation_id, title="Order 20417"),
        messages=[Message(message_id="m", role=ROLE_USER, content="Where is my parcel?")],
    )
    await page.goto("/")
    await page.get_by_role("link", name="What is behind: Error rate").click()
    await page.get_by_text("1 calls, ").wait_for()
    assert query_of(page) == {"outcome": ["error"]}
    drawer = page.get_by_role("dialog")
    await click_table_row(page.locator(".st-key-logs_wide"), 0, opens=drawer)
    await drawer.get_by_role("link", name="Trace page").click()
    await page.get_by_role("heading", name="Trace").wait_for()
    await page.get_by_role("treeitem").filter(has_text=failed.error_code).first.click()
    await page.get_by_role("link", name="Conversation", exact=True).click()
    await page.get_by_role("heading", name="Conversations").wait_for()
    assert query_of(page)["conversation"] == [failed.conversation_id]
    await page.get_by_text("Where is my parcel?").wait_for()


def _errors(log: Log):
    return ListErrorsResponse(logs=[log])


async def test_the_waterfall_is_a_tree_for_the_keyboard(browser_page):
    page = browser_page
    await page.goto(f"/trace?trace={TRACE_ID}")
    items = page.get_by_role("treeitem")
    await items.first.wait_for()
    everything = await items.count()
    assert everything == 11  # eight calls, two parents that never arrived, one wait
    assert await items.first.get_attribute("aria-expanded") == "true"
    await items.first.focus()
    await page.keyboard.press("ArrowLeft")
    await eventually(lambda: has_count(items, everything - 5))
    await page.keyboard.press("ArrowRight")
    await eventually(lambda: has_count(items, everything))
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await eventually(lambda: "log" in query_of(page))
    await page.get_by_text("Prompt").first.wait_for()
    await page.get_by_text("By duration").click()
    await eventually(lambda: query_of(page).get("sort") == ["duration"])
    await eventually(lambda: has_count(items, 8))


async def has_count(items, count: int) -> bool:
    return bool(await items.count() == count)


async def test_names_in_a_waterfall_are_text(browser_page, fake):
    page = browser_page
    hostile = Log(log_id="l", trace_id=TRACE_ID, model="<img src=http://evil.example/x onerror=alert(1)>")
    hostile.latency.seconds = 1
    fake.answers["TraceService.GetTrace"] = TraceServiceGetTraceResponse(logs=[hostile])
    await page.goto(f"/trace?trace={TRACE_ID}")
    item = page.get_by_role("treeitem").first
    await item.wait_for()
    assert "<img src=http://evil.example/x" in await item.inner_text()
    assert await page.locator(".waterfall img").count() == 0


async def test_the_list_is_saved_as_csv(browser_page, fake):
    page = browser_page
    await open_logs(page, "?model=gpt-5.1-mini")
    async with page.expect_download() as started:
        await page.get_by_test_id("stDownloadButton").get_by_role("button").click()
    download = await started.value
    assert re.fullmatch(r"llm-observe-logs-[\d-]+\.csv", download.suggested_filename)
    assert (await _content(download)).startswith(b"log_id,model\n01a213f0")
    request = fake.requests_to("AnalyticsService.ExportLogsCsv")[-1]
    assert list(request.filter.metric_filter.models) == ["gpt-5.1-mini"]


async def _content(download) -> bytes:
    with open(await download.path(), "rb") as file:  # noqa: ASYNC230, PTH123 - a small file of this machine
        return file.read()


class Stream:
    """What every stream sends, each from the beginning, until it is closed: no thread is left waiting."""

    def __init__(self) -> None:
        self._sent: list[WatchLogsResponse] = []
        self._is_closed = False
        self._changed = threading.Condition()

    def send(self, answer: WatchLogsResponse) -> None:
        with self._changed:
            self._sent.append(answer)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[WatchLogsResponse]:
        number = 0
        while answers := self._wait_for(number):
            yield from answers
            number += len(answers)

    def _wait_for(self, number: int) -> list[WatchLogsResponse]:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._sent) > number)
            return [] if self._is_closed else self._sent[number:]


@pytest.fixture
def stream(fake):
    opened = Stream()
    fake.answers["EventService.WatchLogs"] = lambda _: opened
    yield opened
    fake.answers["EventService.WatchLogs"] = WatchLogsResponse()
    opened.close()


async def test_what_comes_while_rows_are_held_waits_behind_a_button(browser_page, stream):
    page = browser_page
    await open_logs(page, "?live=1")
    await page.get_by_text("following").wait_for()
    table = page.locator(".st-key-logs_wide")
    await table.hover()
    await page.get_by_text("held while you read").wait_for()
    stream.send(WatchLogsResponse(logs=[new_log("new-1"), new_log("new-2")]))
    more = page.get_by_role("button", name="2 new")
    await more.wait_for()
    assert await table.get_by_text("new-2").count() == 0
    await more.hover()  # on the way to the button, and on it, the rows are held
    await page.wait_for_timeout(LEFT_MS + 500)
    await page.get_by_text("held while you read").wait_for()
    await more.click()
    await more.wait_for(state="detached")
    await table.get_by_text("new-2").first.wait_for(state="attached")
    await page.mouse.move(0, 0)
    await page.get_by_text("following").wait_for()


def new_log(name: str) -> Log:
    log = Log(log_id=name, model=name, outcome=OUTCOME_SUCCESS)
    log.start_time.FromDatetime(NOW)
    return log
