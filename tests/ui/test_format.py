"""Numbers, times and titles as users read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from server.chat.message_store import make_title
from streamlit_app import format as fmt


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (fmt.duration(None), fmt.NOTHING),
        (fmt.duration(0), "0 ms"),
        (fmt.duration(0.84), "840 ms"),
        (fmt.duration(0.9996), "1.00 s"),
        (fmt.duration(1.236), "1.24 s"),
        (fmt.duration(9.996), "10.0 s"),
        (fmt.duration(59.97), "1 min 00 s"),
        (fmt.duration(125), "2 min 05 s"),
        (fmt.duration(3599.9), "1 h 00 min"),
        (fmt.duration(12_000), "3 h 20 min"),
        (fmt.duration(200_000), "2 d 7 h"),
        (fmt.compact(None), fmt.NOTHING),
        (fmt.compact(0), "0"),
        (fmt.compact(950), "950"),
        (fmt.compact(12_400), "12.4 k"),
        (fmt.compact(3_000_000), "3 M"),
        (fmt.compact(5 * 10**14), "500 T"),
        (fmt.exact(12_417), "12,417"),
        (fmt.exact(None), fmt.NOTHING),
        (fmt.percent(0.987), "98.7 %"),
        (fmt.percent(0), "0.0 %"),
        (fmt.percent(0.0001), "< 0.1 %"),
        (fmt.percent(0.9999), "> 99.9 %"),
        (fmt.percent(1), "100.0 %"),
        (fmt.percent(None), fmt.NOTHING),
        (fmt.money(None), fmt.NOTHING),
        (fmt.money(1_240_000_000), "$1.24"),
        (fmt.money(1_234_560_000_000), "$1,234.56"),
        (fmt.money(120_000_000), "$0.120"),
        (fmt.money(3_100_000), "$0.0031"),
        (fmt.money(3_100), "$0.0000031"),
        (fmt.money(1), "$0.000000001"),
        (fmt.money(0), "$0.00"),
        (fmt.cost(0, 0, 0), "$0.00"),
        (fmt.cost(0, 0, 5), "no price known"),
        (fmt.cost(12_400_000_000, 92, 0), "$12.40"),
        (fmt.cost(12_400_000_000, 92, 8), "≥ $12.40"),
        (fmt.unpriced_share(92, 8), "8.0 % unpriced"),
        (fmt.unpriced_share(92, 0), ""),
        (fmt.change(112, 100), "+12.0 %"),
        (fmt.change(88, 100), "-12.0 %"),
        (fmt.change(5000, 1), "> +1,000 %"),
        (fmt.change(1, 0), None),
        (fmt.change(None, 5), None),
        (fmt.points(0.014, 0.01), "+0.4 pp"),
        (fmt.points(0, 0.01), "-1.0 pp"),
        (fmt.points(None, 0.01), None),
        (fmt.points(0.0100001, 0.0100002), "0.0 pp"),
        (fmt.change(100, 100), "0.0 %"),
        (fmt.length(timedelta(minutes=1)), "1 minute"),
        (fmt.length(timedelta(minutes=90)), "90 minutes"),
        (fmt.length(timedelta(days=7)), "7 days"),
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


BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 25, 11, 21, 4, 123_456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (fmt.clock_time(NOON, BERLIN), "12:21:04"),
        (fmt.date_time(NOON, BERLIN), "25 Nov 12:21"),
        (fmt.exact_time(NOON, BERLIN), "25 Nov 2026 12:21:04.123 CET"),
        (fmt.time_range(NOON, NOON + timedelta(minutes=15), BERLIN), "25 Nov 12:21 \u2013 12:36"),
        (fmt.time_range(NOON, NOON + timedelta(days=1), BERLIN), "25 Nov 12:21 \u2013 26 Nov 12:21"),
    ],
)
def test_times_are_those_of_the_viewer(shown, expected):
    assert shown == expected


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
