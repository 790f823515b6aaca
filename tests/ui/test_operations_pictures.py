"""How the page Operations looks in each of its states."""

from __future__ import annotations

import pytest
from llm_observe.v1 import admin_service_pb2 as admin

from server.rpc.errors import PermissionDenied, QueueIsUnavailable
from tests.support.ui.operations_sample import serve_operations
from tests.support.ui.pictures import assert_picture

pytestmark = pytest.mark.browser


@pytest.fixture
def operations(fake):
    serve_operations(fake)
    return fake


async def test_delivery(look_page, operations, tmp_path):
    await look_page.goto("/operations")
    await look_page.get_by_label("Logs per 1 hour", exact=False).first.wait_for()
    await assert_picture(look_page, "operations", tmp_path)


@pytest.mark.parametrize(
    ("tab", "words"), [("alerts", "Budgets"), ("storage", "All numbers are merged."), ("keys", "New key")]
)
async def test_other_parts(tab, words, state_page, operations, tmp_path):
    await state_page.goto(f"/operations?tab={tab}")
    await state_page.get_by_text(words, exact=True).first.wait_for()
    await assert_picture(state_page, f"operations-{tab}", tmp_path)


async def test_inside_a_dead_letter(state_page, operations, tmp_path):
    await state_page.goto("/operations")
    panel = state_page.locator(".st-key-panel_dead_letters")
    await panel.scroll_into_view_if_needed()  # a table is drawn once it is in sight
    table = panel.get_by_test_id("stDataFrame")
    await table.locator("canvas").first.wait_for()
    await table.click(position={"x": 60, "y": 48})
    await state_page.get_by_text("Payload, redacted").wait_for()
    await assert_picture(state_page, "operations-dead-letter", tmp_path)


async def test_the_question_before_discarding(state_page, operations, tmp_path):
    await state_page.goto("/operations")
    await state_page.get_by_role("button", name="Discard all 8").click()
    await state_page.get_by_text("8 dead letters with 24 logs").wait_for()
    await assert_picture(state_page, "operations-discard", tmp_path)


async def test_nothing_was_ever_sent(state_page, fake, tmp_path):
    fake.answers["AdminService.QueryLedger"] = admin.QueryLedgerResponse()
    fake.answers["AdminService.ListDeadLetters"] = admin.ListDeadLettersResponse()
    fake.answers["AdminService.GetQueueStats"] = admin.GetQueueStatsResponse()
    await state_page.goto("/operations")
    await state_page.get_by_text("Nothing was sent in this window.").wait_for()
    await state_page.get_by_text("None is waiting").wait_for()
    await assert_picture(state_page, "operations-nothing", tmp_path)


async def test_partial(state_page, operations, tmp_path):
    operations.answers["AdminService.ListDeadLetters"] = QueueIsUnavailable()
    await state_page.goto("/operations")
    await state_page.get_by_text("QUEUE_UNAVAILABLE").wait_for()
    await assert_picture(state_page, "operations-partial", tmp_path)


async def test_a_missing_role(state_page, operations, tmp_path):
    for name in list(operations.answers):
        if not name.startswith("HealthService"):
            operations.answers[name] = PermissionDenied(["admin"])
    await state_page.goto("/operations")
    await state_page.get_by_text("This part needs the role admin").wait_for()
    await assert_picture(state_page, "operations-denied", tmp_path)


async def test_stale(hurried_page, operations, tmp_path):
    await hurried_page.goto("/operations")
    await hurried_page.get_by_label("Logs per 1 hour", exact=False).first.wait_for()
    operations.hang()
    await hurried_page.get_by_text("Stale since").wait_for()
    await assert_picture(hurried_page, "operations-stale", tmp_path)


async def test_loading(hurried_page, operations):
    """What is there while nothing has been answered: no picture, as the browser would not hold still."""
    operations.hang()
    await hurried_page.goto("/operations")
    await hurried_page.get_by_test_id("stSkeleton").first.wait_for()
    operations.resume()
    await hurried_page.get_by_text("1 batch never arrived.").wait_for()
