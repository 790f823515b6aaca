"""How pages look, at both widths and in both themes."""

from __future__ import annotations

import pytest
from llm_observe.v1 import analytics_service_pb2 as pb

from server.rpc.errors import QueryTookTooLong
from tests.support.ui.pictures import FOLDER, assert_picture
from tests.support.ui.sample_logs import list_logs

pytestmark = pytest.mark.browser
NOTHING = pb.GetSummaryResponse(current=pb.Metrics(), previous=pb.Metrics())


async def test_dashboard(look_page, tmp_path):
    await look_page.goto("/")
    await look_page.get_by_text("Recent errors").wait_for()
    await assert_picture(look_page, "dashboard", tmp_path)


async def test_dashboard_compared_by_model(state_page, tmp_path):
    await state_page.goto("/?window=7d&by=model&tab=model&compare=1&provider=openai&provider=anthropic")
    await state_page.get_by_text("Recent errors").wait_for()
    await assert_picture(state_page, "dashboard-compared", tmp_path)


async def test_dashboard_without_any_data(state_page, fake, tmp_path):
    fake.answers["AnalyticsService.GetSummary"] = NOTHING
    fake.answers["AnalyticsService.ListLogs"] = pb.ListLogsResponse()
    await state_page.goto("/")
    await state_page.get_by_text("No calls yet").wait_for()
    await assert_picture(state_page, "dashboard-no-data", tmp_path)


async def test_dashboard_without_a_match(state_page, fake, tmp_path):
    fake.answers["AnalyticsService.GetSummary"] = NOTHING
    fake.answers["AnalyticsService.ListLogs"] = list_logs
    await state_page.goto("/?provider=openai&env=production")
    await state_page.get_by_text("Clear filters").wait_for()
    await assert_picture(state_page, "dashboard-no-match", tmp_path)


async def test_dashboard_in_part(state_page, fake, tmp_path):
    fake.answers["AnalyticsService.QueryBreakdown"] = QueryTookTooLong()
    fake.answers["AnalyticsService.ListErrors"] = QueryTookTooLong()
    await state_page.goto("/")
    await state_page.get_by_text("Recent errors").wait_for()
    await assert_picture(state_page, "dashboard-in-part", tmp_path)


async def test_dashboard_without_an_answer(hurried_page, fake, tmp_path):
    fake.hang()
    await hurried_page.goto("/")
    await hurried_page.get_by_text("No answer from").wait_for()
    await assert_picture(hurried_page, "dashboard-no-answer", tmp_path)


async def test_dashboard_stale(hurried_page, fake, tmp_path):
    await hurried_page.goto("/")
    await hurried_page.get_by_text("Recent errors").wait_for()
    fake.hang()
    await hurried_page.get_by_text("Stale since").wait_for()
    await assert_picture(hurried_page, "dashboard-stale", tmp_path)


async def test_dashboard_loading(state_page, fake, tmp_path):
    fake.hang()
    await state_page.goto("/")
    await state_page.get_by_test_id("stSkeletonElement").first.wait_for()
    await assert_picture(state_page, "dashboard-loading", tmp_path, loading=True)


def test_pictures_are_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < 3_000_000
