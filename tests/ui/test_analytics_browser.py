"""The Analytics page in Chromium: typing and running SQL, drill-down by click, and how it looks."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from pyarrow import parquet

from server.reports.errors import LakeIsBehind
from tests.support.ui.pictures import assert_picture

pytestmark = pytest.mark.browser
BY_MODEL = "SELECT model, count(*) AS calls\nFROM logs\nGROUP BY ALL\nORDER BY calls DESC"
WRONG = "SELECT model, count(*) AS calls\nFROM logs\nWHERE nothing = 1\nGROUP BY ALL"


def sql_url(sql: str, **query: str) -> str:
    return f"/analytics?tab=sql&sql={quote(sql)}" + "".join(f"&{key}={value}" for key, value in query.items())


def _read(path: Path) -> str:
    return path.read_text()


async def test_a_tile_opens_its_report_whose_files_can_be_taken_away(browser_page):
    page = browser_page
    await page.goto("/analytics?window=7d")
    await page.get_by_role("link", name="Latency percentiles").click()
    await page.get_by_role("heading", name="Latency percentiles").wait_for()
    await page.locator(".stVegaLiteChart svg").wait_for()
    await page.wait_for_url("**report=latency-percentiles**")
    assert "window=7d" in page.url
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Parquet", exact=True).click()
    download = await waiting.value
    assert download.suggested_filename == "latency-percentiles.parquet"
    assert parquet.read_table(await download.path()).num_rows == 5
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="CSV", exact=True).click()
    text = _read(await (await waiting.value).path())
    assert text.startswith("value,request_count,average_us")
    await page.reload()
    await page.get_by_role("heading", name="Latency percentiles").wait_for()


async def test_sql_is_typed_run_by_the_keyboard_and_survives_a_reload(browser_page, fake):
    page = browser_page
    await page.goto("/analytics?tab=sql&window=30d")
    editor = page.get_by_role("textbox", name="SQL")
    await editor.fill("SELECT  AS provider, count(*) AS calls FROM logs GROUP BY ALL")
    await editor.evaluate("area => area.setSelectionRange(7, 7)")
    await page.get_by_placeholder("Find a column").fill("provider")
    await page.locator(".tree .column").first.click()
    assert (await editor.input_value()).startswith("SELECT provider AS provider")
    await editor.press("Control+Enter")
    await page.get_by_text("5 rows").or_(page.get_by_text("4 rows")).first.wait_for()
    assert "sql=SELECT" in page.url
    await page.reload()
    await page.locator(".stVegaLiteChart svg").wait_for()
    assert (await editor.input_value()).startswith("SELECT provider AS provider")
    await editor.fill("SELECT half of")
    await page.get_by_text("Reports", exact=True).click()
    await page.get_by_text("What each UTC day cost").wait_for()
    await page.get_by_text("SQL", exact=True).click()
    await page.wait_for_function(
        "() => [...document.querySelectorAll('*')].some(each =>"
        " each.shadowRoot?.querySelector('textarea')?.value === 'SELECT half of')"
    )


async def test_a_mistake_is_marked_until_it_is_edited(browser_page):
    page = browser_page
    await page.goto(sql_url(WRONG))
    await page.get_by_text("The statement has a mistake.").wait_for()
    marked = page.locator(".line.wrong")
    assert await marked.inner_text() == "WHERE nothing = 1"
    await page.get_by_role("textbox", name="SQL").press("End")
    await page.keyboard.type(" ")
    await marked.wait_for(state="detached")


async def test_gallery(look_page, tmp_path):
    await look_page.goto("/analytics")
    await look_page.get_by_text("How many sessions have").wait_for()
    await assert_picture(look_page, "analytics", tmp_path)


@pytest.mark.parametrize(
    ("name", "query"),
    [("report", "report=cost-by-day&window=30d"), ("heat", "report=hours-of-day&window=30d")],
)
async def test_reports(name, query, look_page, tmp_path):
    await look_page.goto(f"/analytics?{query}")
    await look_page.locator(".stVegaLiteChart svg").wait_for()
    await assert_picture(look_page, f"analytics-{name}", tmp_path)


async def test_sql(look_page, tmp_path):
    await look_page.goto(sql_url(BY_MODEL, window="7d"))
    await look_page.locator(".stVegaLiteChart svg").wait_for()
    await assert_picture(look_page, "analytics-sql", tmp_path)


async def test_sql_with_a_mistake(state_page, tmp_path):
    await state_page.goto(sql_url(WRONG))
    await state_page.locator(".line.wrong").wait_for()
    await assert_picture(state_page, "analytics-sql-mistake", tmp_path)


async def test_nothing_exported(state_page, fake, tmp_path):
    fake.answers["ReportService.RunReport"] = LakeIsBehind("200,000 logs", has_lake=True)
    await state_page.goto("/analytics?report=cost")
    await state_page.get_by_role("button", name="Export now").wait_for()
    await assert_picture(state_page, "analytics-not-exported", tmp_path)


async def test_no_calls(state_page, tmp_path):
    await state_page.goto("/analytics?report=retry-storms")
    await state_page.get_by_text("No calls in this window").wait_for()
    await assert_picture(state_page, "analytics-no-calls", tmp_path)


async def test_no_answer(hurried_page, fake, tmp_path):
    fake.hang()
    await hurried_page.goto("/analytics")
    await hurried_page.get_by_text("No answer from").wait_for()
    await assert_picture(hurried_page, "analytics-no-answer", tmp_path)


async def test_loading(state_page, fake, tmp_path):
    fake.hang()
    await state_page.goto("/analytics")
    await state_page.get_by_test_id("stSkeletonElement").first.wait_for()
    await assert_picture(state_page, "analytics-loading", tmp_path, loading=True)
