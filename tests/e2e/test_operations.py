"""The page Operations in a real browser, on the real server, worker and stores."""

from __future__ import annotations

import os
import sys
import uuid
from datetime import UTC, datetime

import pytest
from google.protobuf.json_format import MessageToJson
from llm_observe.v1 import admin_service_pb2 as pb
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub

from stack import processes, readiness
from storage.dead_letters import NewDeadLetter, add_dead_letters, count_waiting_dead_letters
from storage.logs import count_logs
from tests.support.logs import make_log, make_request
from tests.support.ports import free_port
from tests.support.processes import stop
from tests.support.rpc import stub
from tests.support.ui.browser import Look, click_row, open_page
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser


@pytest.fixture
async def page(browser, server, worker, tmp_path):
    port = free_port()
    env = {**os.environ, "LLM_OBSERVE_GRPC_PORT": str(server.port), "LLM_OBSERVE_UI_PORT": str(port)}
    app = processes.start([sys.executable, "-m", "streamlit_app"], log=tmp_path / "app.out", env=env)
    try:
        await eventually(lambda: readiness.ui_answers(f"127.0.0.1:{port}"))
        async with open_page(browser, f"127.0.0.1:{port}", Look(1440, "light")) as opened:
            yield opened
    finally:
        stop(app)


def letter(reason: str) -> NewDeadLetter:
    return NewDeadLetter(
        project_id="default",
        reason=reason,
        message="failed after 3 attempts",
        log_id="",
        log_count=2,
        attempt_count=3,
        first_attempt_time=datetime(2026, 1, 1, tzinfo=UTC),
        payload=MessageToJson(make_request(make_log(), make_log()), preserving_proto_field_name=True),
        producer_id="p1",
        dedup_key=uuid.uuid4().hex,
    )


async def test_dead_letters_are_replayed_and_stored(page, database):
    await add_dead_letters(database, [letter("failed:Boom") for _ in range(3)])
    await page.goto("/operations")
    await page.get_by_role("button", name="Replay all 3").click()
    await page.get_by_text("3 dead letters with 6 logs").wait_for()
    await page.get_by_role("button", name="Replay 3", exact=True).click()
    await page.get_by_text("3 dead letters queued again").wait_for()
    await page.get_by_text("None is waiting").wait_for()

    async def all_are_stored() -> bool:
        return await count_logs(database, project_id="default") == 6

    await eventually(all_are_stored)


async def open_first_row(page, panel: str) -> None:
    await click_row(page.locator(f".st-key-panel_{panel}"), 0, opens=page.get_by_role("dialog"))


async def test_dead_letters_are_discarded_once_confirmed_and_a_key_is_made_and_revoked(
    page, database, channel
):
    await add_dead_letters(database, [letter("failed:Boom"), letter("failed:Boom"), letter("refused")])
    await page.goto("/operations")
    dialog = page.get_by_role("dialog")
    await open_first_row(page, "dead_letters")
    await dialog.get_by_text("Payload, redacted").wait_for()
    await dialog.get_by_role("button", name="Discard all 2 of this reason").click()
    await dialog.get_by_text("2 dead letters with 4 logs").wait_for()
    await dialog.get_by_role("button", name="Cancel").click()
    await dialog.wait_for(state="detached")
    assert await count_waiting_dead_letters(database) == 3

    await open_first_row(page, "dead_letters")
    await dialog.get_by_role("button", name="Discard all 2 of this reason").click()
    await dialog.get_by_role("button", name="Discard 2", exact=True).click()
    await page.get_by_text("2 dead letters discarded").wait_for()
    await page.get_by_role("button", name="Discard all 1").wait_for()
    assert await count_waiting_dead_letters(database) == 1

    admin = stub(AdminServiceStub, channel)
    await page.get_by_text("API keys", exact=True).click()
    await page.get_by_role("button", name="New key").click()
    await dialog.get_by_label("Name").fill("billing")
    await dialog.get_by_role("button", name="Make the key").click()
    await dialog.get_by_text("it cannot be shown again").wait_for()
    secret = (await dialog.get_by_test_id("stCode").inner_text()).strip()
    (key,) = (await admin.ListApiKeys(pb.ListApiKeysRequest(project_id="default"))).api_keys
    assert key.display_name == "billing"
    assert secret.startswith(key.prefix)
    assert secret != key.prefix
    await dialog.get_by_role("button", name="Done").click()
    await dialog.wait_for(state="detached")
    assert secret not in await page.content()

    await open_first_row(page, "keys")
    await dialog.get_by_role("button", name="Revoke").click()
    await page.get_by_text("Key billing revoked").wait_for()
    (key,) = (await admin.ListApiKeys(pb.ListApiKeysRequest(project_id="default"))).api_keys
    assert key.HasField("revoke_time")
