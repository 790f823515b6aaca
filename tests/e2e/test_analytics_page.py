"""Analytics in Chromium against the real server: its sandbox, a lake, and Postgres for the rest."""

from __future__ import annotations

import os
import sys

import pytest

from analytics.lake.settings import LakeSettings
from stack import processes, readiness
from tests.support.lake_history import LAKE_WINDOW, export_hours, row_at
from tests.support.packing import insert
from tests.support.ports import free_port
from tests.support.processes import stop
from tests.support.server import running_server
from tests.support.ui.browser import Look, open_page
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser
LOOK = Look(1440, "light")


@pytest.fixture
async def page(browser, database, database_url, queue_settings, tmp_path):
    """The page of a server whose first hours are exported."""
    calls = [row_at(hours, model=f"model-{hours % 2:.0f}", cost_nano_usd=10**9) for hours in range(1, 7)]
    await insert(database, calls)
    await export_hours(database, tmp_path / "lake", hours=4)
    lake = LakeSettings(url=str(tmp_path / "lake"))
    port = free_port()
    async with running_server(database_url, queue_settings, lake=lake) as server:
        env = {**os.environ, "LLM_OBSERVE_GRPC_PORT": str(server.port), "LLM_OBSERVE_UI_PORT": str(port)}
        app = processes.start([sys.executable, "-m", "streamlit_app"], log=tmp_path / "app.out", env=env)
        try:
            address = f"127.0.0.1:{port}"
            await eventually(lambda: readiness.ui_answers(address))
            async with open_page(browser, address, LOOK) as opened:
                yield opened
        finally:
            stop(app)


def window() -> str:
    return "&".join(
        f"{name}={time:%Y-%m-%dT%H:%MZ}" for name, time in zip(("from", "to"), LAKE_WINDOW, strict=True)
    )


async def test_a_report_and_sql_from_files_and_the_database(page):
    await page.goto(f"/analytics?report=cost&set-dimension=model&{window()}")
    await page.get_by_text("2 rows").wait_for()
    await page.get_by_text("hours from Parquet files").wait_for()
    await page.locator(".stVegaLiteChart svg").wait_for()

    await page.get_by_role("button", name="Open as SQL").click()
    await eventually(lambda: "tab=sql" in page.url)  # "2 rows" is on the page before, too
    await page.get_by_text("2 rows").wait_for()

    editor = page.get_by_role("textbox", name="SQL")
    await editor.fill("SELECT provider, model, log_id FROM logs ORDER BY start_time")
    await editor.press("Control+Enter")
    await page.get_by_text("6 rows").wait_for()

    await editor.fill("SELECT model\nFROM logs\nWHERE nothing = 1")
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.get_by_text("The statement has a mistake.").wait_for()
    assert await page.locator(".line.wrong").inner_text() == "WHERE nothing = 1"

    await editor.fill("SELECT * FROM read_csv('/etc/passwd')")
    await editor.press("Control+Enter")
    await page.get_by_text("Refused: the sandbox does not run this.").wait_for()
    await page.get_by_role("button", name="History").click()
    await page.get_by_text("SQL_FAILED").wait_for()
