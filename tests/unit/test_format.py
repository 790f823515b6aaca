"""Numbers, times and titles as users read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.chat.message_store import make_title
from streamlit_app import format as fmt


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (fmt.duration(None), fmt.NOTHING),
        (fmt.duration(0.84), "840 ms"),
        (fmt.duration(1.236), "1.24 s"),
        (fmt.duration(125), "2 min 5 s"),
        (fmt.count(None), fmt.NOTHING),
        (fmt.count(0), "0"),
        (fmt.count(950), "950"),
        (fmt.count(12_400), "12.4 k"),
        (fmt.count(3_000_000), "3 M"),
        (fmt.count(5 * 10**14), "500 T"),
        (fmt.percent(0.987), "98.7 %"),
        (fmt.percent(None), fmt.NOTHING),
        (fmt.money(None), fmt.NOTHING),
        (fmt.money(1_240_000_000), "$1.24"),
        (fmt.money(310_000), "$0.00031"),
        (fmt.money(0), "$0.00"),
        (fmt.change(112, 100), "+12.0 %"),
        (fmt.change(1, 0), None),
        (fmt.change(None, 5), None),
    ],
)
def test_numbers_are_formatted_for_people(shown, expected):
    assert shown == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(12, "12 s ago"), (300, "5 min ago"), (10_800, "3 h ago"), (172_800, "2 d ago")]
)
def test_ago_rounds_to_one_unit(seconds, expected):
    now = datetime.now(UTC)
    assert fmt.ago(now - timedelta(seconds=seconds), now) == expected


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("short", "short"),
        ("  two\n lines ", "two lines"),
        ("word " * 20, "word word word word word word word word word…"),
        ("x" * 80, "x" * 49 + "…"),
    ],
)
def test_titles_are_truncated_at_a_word_boundary(text, title):
    assert make_title(text) == title
    assert len(make_title(text)) <= 50
