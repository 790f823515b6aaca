"""How pages look, at both widths and in both themes."""

from __future__ import annotations

import pytest

from tests.support.ui.pictures import FOLDER, assert_picture

pytestmark = pytest.mark.browser


async def test_dashboard(look_page, tmp_path):
    await look_page.goto("/")
    await look_page.get_by_test_id("stMetric").first.wait_for()
    await assert_picture(look_page, "dashboard", tmp_path)


def test_pictures_are_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < 3_000_000
