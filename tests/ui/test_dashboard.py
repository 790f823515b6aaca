"""The dashboard in a browser: what is clicked, dragged and chosen narrows it, and stands in the URL."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.ui.browser import settled
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser


def query_of(page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


async def card(page, label: str):
    metric = page.get_by_test_id("stMetric").filter(has_text=label)
    return (await metric.get_by_test_id("stMetricValue").first.inner_text()).strip()


def chart(page, words: str):
    """Return a chart by the beginning of its description."""
    return page.locator(f"[aria-label^='{words}']").first


async def open_dashboard(page, query: str = ""):
    await page.goto(f"/{query}")
    await page.get_by_text("Recent errors").wait_for()
    await settled(page)


async def test_a_click_on_a_bar_filters_by_its_group(browser_page):
    page = browser_page
    await open_dashboard(page)
    everything = await card(page, "Requests")
    bar = chart(page, "Requests over time").locator("path[aria-roledescription=bar]").nth(3)
    await bar.click(force=True)
    badge = page.get_by_role("button", name=re.compile("^Provider: openai"))
    await badge.wait_for()
    assert query_of(page) == {"provider": ["openai"]}
    await eventually(lambda: changed(page, "Requests", everything))

    await page.reload()  # the URL holds it
    await badge.wait_for()
    await badge.click()
    await badge.wait_for(state="detached")
    assert query_of(page) == {}
    await eventually(lambda: is_card(page, "Requests", everything))

    await page.go_back()  # and so does the history
    await badge.wait_for()


async def changed(page, label: str, from_value: str):
    return await card(page, label) != from_value


async def is_card(page, label: str, value: str):
    return await card(page, label) == value


async def test_a_drag_over_time_becomes_the_window(browser_page):
    page = browser_page
    await open_dashboard(page)
    box = await chart(page, "Latency over time").bounding_box()
    middle = box["y"] + 90
    await page.mouse.move(box["x"] + 200, middle)
    await page.mouse.down()
    for place in (220, 240, 270, 300):
        await page.mouse.move(box["x"] + place, middle)
        await page.wait_for_timeout(100)  # as a hand would: the chart must see where the pointer was
    await page.mouse.up()
    await eventually(lambda: {"from", "to"} == set(query_of(page)))
    await page.get_by_role("button", name=re.compile(r"24 Nov 2\d:\d\d . 25 Nov 0\d:\d\d")).wait_for()


async def test_the_window_is_that_of_the_url_and_back_returns(browser_page, fake):
    page = browser_page
    await open_dashboard(page)
    await page.get_by_role("radio", name="7d").or_(page.get_by_role("button", name="7d")).click()
    await eventually(lambda: query_of(page) == {"window": ["7d"]})
    await settled(page)
    (request,) = {
        bytes(one.SerializeToString()) for one in fake.requests_to("AnalyticsService.GetSummary")[-1:]
    }
    assert request
    last = fake.requests_to("AnalyticsService.GetSummary")[-1].time_range
    assert 7 * 86_400 <= last.end_time.seconds - last.start_time.seconds < 7 * 86_400 + 7200
    await page.get_by_role("link", name="Chat").click()
    await page.get_by_role("heading", name="Chat").wait_for()
    assert query_of(page) == {}
    await page.get_by_role("link", name="Dashboard").click()
    await page.get_by_text("Recent errors").wait_for()
    assert query_of(page) == {"window": ["7d"]}
    await page.go_back()
    await page.get_by_role("heading", name="Chat").wait_for()


async def test_filters_are_chosen_from_the_values_that_there_are(browser_page):
    page = browser_page
    await open_dashboard(page)
    await page.get_by_role("button", name="Filters").click()
    await page.get_by_label("Environment").click()
    await page.get_by_role("option", name=re.compile("^staging")).click()
    await page.get_by_role("button", name=re.compile("^Environment: staging")).wait_for()
    assert query_of(page) == {"env": ["staging"]}
    await page.get_by_role("button", name="Filters (1)").wait_for()


async def test_what_a_panel_shows_is_chosen_in_the_url(browser_page, fake):
    page = browser_page
    await open_dashboard(page, "?by=model&compare=1&tab=env")
    names = await chart(page, "Requests over time").get_attribute("aria-label")
    assert "text-embedding-4-small" in names
    assert await page.get_by_role("switch").or_(page.get_by_role("checkbox")).first.is_checked()
    asked = {request.dimension for request in fake.requests_to("AnalyticsService.QueryBreakdown")}
    assert 4 in asked  # by environment


async def test_releases_are_marked_where_they_began(browser_page):
    page = browser_page
    await open_dashboard(page)
    for words in ("Latency over time", "Requests over time"):
        described = await chart(page, words).get_attribute("aria-label")
        assert described.endswith("New releases: 2026.11.3 at 24 Nov 23:57.")
    sign = chart(page, "Latency over time").locator(".mark-symbol path").last
    await sign.hover(force=True)
    tooltip = page.locator("#vg-tooltip-element")
    await tooltip.get_by_text("2026.11.3").wait_for()
    await tooltip.get_by_text("24 Nov 2026 23:57:04").wait_for()


async def test_pausing_stops_the_refresh(browser_page):
    page = browser_page
    await open_dashboard(page)
    await page.get_by_text("updated 16:21:04").wait_for()
    await (
        page.get_by_test_id("stButton")
        .filter(has=page.locator("[data-testid=stIconMaterial]", has_text="pause"))
        .click()
    )
    await page.get_by_text("paused at 16:21:04").wait_for()


async def test_numbers_are_taken_away_as_a_table_as_csv_and_as_a_named_link(browser_page):
    page = browser_page
    await open_dashboard(page, "?env=production")
    # Streamlit draws a button with help twice: once for phones.
    await page.locator(".st-key-data_requests button").filter(visible=True).click()
    await page.get_by_label("The numbers of the chart").first.wait_for(state="attached")
    await page.keyboard.press("Escape")

    async with page.expect_download() as started:
        await page.get_by_role("button", name="CSV").click()
    assert re.fullmatch(r"llm-observe-by-provider-[\d-]+\.csv", (await started.value).suggested_filename)

    opener = page.get_by_test_id("stPopoverButton").filter(has_text="link")
    await opener.filter(visible=True).click()
    await page.get_by_label("Name").fill("Production")
    await page.keyboard.press("Enter")
    link = page.get_by_text("name=Production")
    await page.goto(await link.inner_text())
    await page.wait_for_function("() => document.title === 'Production · Dashboard · LLM Observe'")
    await page.get_by_role("button", name=re.compile("^Environment: production")).click()
    await eventually(lambda: query_of(page) == {})  # another view: the name is gone
