"""Both pages in a real browser, against the real server."""

from __future__ import annotations

import os
import sys
from urllib.parse import unquote

import pytest

from stack import processes, readiness
from tests.support.loading_markdown import EVIL, LOADING
from tests.support.ports import free_port
from tests.support.processes import stop
from tests.support.relay import Relay
from tests.support.waiting import WAIT_S, eventually

pytestmark = pytest.mark.browser


@pytest.fixture
async def link(server):
    async with Relay("127.0.0.1", server.port).running() as relay:
        yield relay


@pytest.fixture
async def page(browser, link, worker, tmp_path):
    port = free_port()
    env = {**os.environ, "LLM_OBSERVE_GRPC_PORT": str(link.port), "LLM_OBSERVE_UI_PORT": str(port)}
    app = processes.start([sys.executable, "-m", "streamlit_app"], log=tmp_path / "app.out", env=env)
    try:
        await eventually(lambda: readiness.ui_answers(f"127.0.0.1:{port}"))
        async with await browser.new_context(base_url=f"http://127.0.0.1:{port}") as context:
            context.set_default_timeout(WAIT_S * 1000)
            requested: list[str] = []
            context.on("request", lambda request: requested.append(request.url))
            yield await context.new_page()
            own = (f"http://127.0.0.1:{port}/", f"blob:http://127.0.0.1:{port}/", "data:")
            assert [url for url in requested if not url.startswith(own)] == []
    finally:
        stop(app)


async def ask(page, text: str) -> None:
    box = page.get_by_placeholder("Message")
    await box.fill(text)
    await box.press("Enter")


async def test_a_chat_is_streamed_and_counted(page, provider_mock):
    await page.goto("/")
    await page.get_by_text("No calls yet").wait_for()

    await page.get_by_role("link", name="Chat", exact=True).click()
    await ask(page, "hello from the browser")
    await page.get_by_text("gpt-4o-mini-mock").wait_for()
    assert await page.get_by_text("first token").count() == 1
    assert provider_mock.requests[0]["messages"][-1]["content"] == "hello from the browser"

    await page.get_by_role("link", name="Dashboard").click()
    requests = page.get_by_test_id("stMetric").filter(has_text="Requests").get_by_test_id("stMetricValue")
    await requests.wait_for()
    assert (await requests.inner_text()).strip() == "1"
    await page.locator("[aria-label^='Requests over time, 1 in all']").first.wait_for()


async def test_a_provider_error_is_explained_and_counted_on_the_dashboard(page, provider_mock):
    provider_mock.default_behaviour = {"status": 429}
    await page.goto("/chat")
    await ask(page, "hello")
    await page.get_by_text("PROVIDER_RATE_LIMITED").first.wait_for()
    assert await page.get_by_text("Traceback").count() == 0
    await page.goto("/")
    value = page.get_by_test_id("stMetric").filter(has_text="Error rate").get_by_test_id("stMetricValue")
    await value.wait_for()
    assert (await value.inner_text()).strip() == "100.0 %"
    await page.locator("[aria-label^='Failed calls by error code']").first.wait_for()


async def test_a_conversation_survives_a_reload_and_a_new_tab(page, provider_mock):
    await page.goto("/chat")
    await ask(page, "hello from the browser")
    await page.get_by_text("gpt-4o-mini-mock").wait_for()
    assert "conversation=" in page.url
    await page.reload()
    await page.get_by_text("hello from the browser").first.wait_for()
    await page.get_by_text("gpt-4o-mini-mock").wait_for()
    await ask(page, "and now?")
    await page.get_by_text("gpt-4o-mini-mock").nth(1).wait_for()
    asked = [message["content"] for message in provider_mock.requests[-1]["messages"]]
    assert asked[0] == "hello from the browser"
    assert asked[-1] == "and now?"
    other = await page.context.new_page()
    await other.goto(page.url)
    await other.get_by_text("and now?").first.wait_for()
    await other.close()


async def test_a_stopped_answer_stays_and_the_provider_stops(page, provider_mock):
    provider_mock.default_behaviour = {"text": "word " * 5_000, "chunk_s": 0.05}
    await page.goto("/chat")
    await ask(page, "tell me everything")
    await page.get_by_text("word word").first.wait_for()
    assert provider_mock.open_streams == 1
    await page.get_by_test_id("stChatInputStopButton").click()
    await page.get_by_text("stopped ·").wait_for()
    await eventually(lambda: provider_mock.open_streams == 0)
    await page.reload()
    await page.get_by_text("stopped ·").wait_for()
    assert await page.get_by_text("word word").count() >= 1


async def test_a_failed_question_is_asked_again(page, provider_mock):
    provider_mock.default_behaviour = {"status": 429}
    await page.goto("/chat")
    await ask(page, "hello")
    await page.get_by_text("PROVIDER_RATE_LIMITED").first.wait_for()
    provider_mock.default_behaviour = {}
    await page.get_by_role("button", name="Retry").click()
    await page.get_by_text("gpt-4o-mini-mock").wait_for()
    await page.reload()
    await page.get_by_text("gpt-4o-mini-mock").wait_for()
    asked = page.get_by_test_id("stChatMessage").get_by_text("hello", exact=True)
    assert await asked.count() == 1  # the question is stored once


async def test_a_conversation_is_deleted_after_a_question(page):
    await page.goto("/chat")
    await ask(page, "delete me")
    await page.get_by_text("gpt-4o-mini-mock").wait_for()
    await page.get_by_role("link", name="Conversations", exact=True).click()
    await page.locator("[class*=st-key-open_] button").click()
    await page.locator(".st-key-transcript_menu button").filter(visible=True).click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_text("“delete me” with its 2 messages").wait_for()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await page.get_by_text("No conversations yet").wait_for()


async def test_an_unreachable_server_is_reported_without_a_traceback(page, server):
    await server.stop(0)
    await page.goto("/")
    await page.get_by_text("No answer from").first.wait_for()
    assert await page.get_by_text("Traceback").count() == 0


async def test_content_of_messages_and_answers_is_never_fetched(page, provider_mock):
    """The page fixture asserts that no request went to another origin."""
    hostile = "\n\n".join([*LOADING.values(), f"```mermaid\ngraph TD\n A@{{ img: '{EVIL}' }}\n```"])
    provider_mock.default_behaviour = {"text": f"{hostile}\n\n**the end**"}
    await page.goto("/chat")
    await ask(page, hostile)
    await page.get_by_text("gpt-4o-mini-mock").wait_for()
    question, answer = await page.get_by_test_id("stChatMessage").all()
    await answer.locator("strong", has_text="the end").wait_for()
    for message in (question, answer):
        assert "![x](http://evil.example/leak)" in await message.inner_text()  # verbatim, or in code
        body = message.get_by_test_id("stChatMessageContent")
        assert await body.locator("img, svg image, video, iframe, style, script").count() == 0
        links = body.locator("[data-testid=stMarkdownContainer] a")  # and not our own link to the log
        for anchor in await links.all():  # the text of a link shows its target
            assert unquote(await anchor.get_attribute("href")).endswith(await anchor.inner_text())


async def test_the_dashboard_reports_a_hanging_server_and_recovers(page, link):
    await page.goto("/chat")
    await ask(page, "hello")
    await page.get_by_text("gpt-4o-mini-mock").wait_for()
    await page.get_by_role("link", name="Dashboard").click()
    requests = page.get_by_test_id("stMetric").filter(has_text="Requests")
    await requests.wait_for()

    link.hang()
    await page.get_by_text("Stale since").wait_for()
    assert await requests.count() == 1
    link.resume()
    await page.get_by_text("Stale since").wait_for(state="detached")
    assert await requests.count() == 1
