"""What every page shows while the real server is frozen, or dead, and that it recovers by itself."""

from __future__ import annotations

from contextlib import contextmanager

import grpc
import pytest
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub

from stack import readiness
from storage.logs import count_logs
from tests.support.chat import make_turn, read_stream
from tests.support.deployment import deployed
from tests.support.ports import free_port
from tests.support.rpc import stub
from tests.support.ui.browser import Look, open_page
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser
CONTENT = {
    "Dashboard": "[data-testid=stMetric]:has-text('Requests')",
    "Logs": "[aria-label='Calls, newest first']",
    "Analytics": "[class*=st-key-tile_]",
    "Chat": "[data-testid=stChatInput]",
    "Conversations": "[class*=st-key-open_]",
    "Operations": ".st-key-panel_ledger",
}
"""What a page shows of a server that answers."""
LINKS = ("/", "/logs?log=x", "/analytics?tab=sql", "/trace?session=s1", "/conversations", "/operations")


@pytest.fixture
async def deployment(database, database_url, queue_settings, tmp_path):
    """Server, worker and app in processes of their own."""
    async with deployed(tmp_path, database_url, queue_settings) as (deployment, _):
        yield deployment


async def chat_once(deployment, database) -> str:
    """Have one chat, whose log is stored; return the conversation's id."""
    async with grpc.aio.insecure_channel(deployment.address) as channel:
        first, *_ = await read_stream(stub(ChatServiceStub, channel), make_turn(provider="demo"))

    async def is_stored() -> bool:
        return await count_logs(database, project_id="default") == 1

    await eventually(is_stored)
    return str(first.started.conversation_id)


async def start_app(deployment) -> str:
    """Start the app, as impatient as in production; return its address."""
    port = str(free_port())
    server = str(deployment.port)
    deployment.start("app", "streamlit_app", LLM_OBSERVE_GRPC_PORT=server, LLM_OBSERVE_UI_PORT=port)
    await eventually(lambda: readiness.ui_answers(f"127.0.0.1:{port}"))
    return f"127.0.0.1:{port}"


@contextmanager
def frozen(process):
    family = [process, *process.children(recursive=True)]
    for member in family:
        member.suspend()
    try:
        yield
    finally:
        for member in family:
            member.resume()


async def test_pages_keep_their_numbers_while_the_server_is_frozen_or_dead(browser, deployment, database):
    conversation_id = await chat_once(deployment, database)
    address = await start_app(deployment)
    async with open_page(browser, address, Look(1440, "light")) as page:
        await page.goto("/")
        await all_pages_show(page, stale=False)
        with frozen(deployment.running["server"]):
            await all_pages_show(page, stale=True)
            for link in (*LINKS, f"/chat?conversation={conversation_id}"):
                await page.goto(link)  # a new session, which has no answer from before
                await page.get_by_text("No answer from").first.wait_for()
                await page.get_by_role("button", name="Retry").first.wait_for()
        await page.get_by_role("button", name="Retry").first.click()
        await page.get_by_text("hello there").first.wait_for()
        await all_pages_show(page, stale=False)

        deployment.kill("server")
        await all_pages_show(page, stale=True)
        deployment.restart("server")
        await page.get_by_text("Stale since").wait_for(state="detached")
        await all_pages_show(page, stale=False)
    assert "Traceback" not in deployment.output("app")


async def all_pages_show(page, *, stale: bool) -> None:
    """Go over all pages by the sidebar, so that the session stays, and with it the last good answers."""
    for title, content in CONTENT.items():
        await page.get_by_test_id("stSidebar").get_by_role("link", name=title, exact=True).click()
        await page.get_by_role("heading", name=title, exact=True).wait_for()
        await page.locator(content).first.wait_for()
        await page.get_by_text("Stale since").wait_for(state="visible" if stale else "detached")
        assert await page.get_by_role("button", name="Retry").count() == stale
