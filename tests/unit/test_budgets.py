"""Periods of the calendar and their forecasts, against a calendar computed by hand."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.alerts.budgets import BudgetStatus, check_thresholds, forecast_of, period_at
from analytics.alerts.values import format_usd
from analytics.windows import Window
from storage.budgets import BudgetSpec

USD = 10**9


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


PERIODS = [
    ("day", "UTC", "2026-02-28 23:59", "2026-02-28 00:00", "2026-03-01 00:00"),
    ("week", "UTC", "2026-03-01 12:00", "2026-02-23 00:00", "2026-03-02 00:00"),
    ("week", "UTC", "2026-03-02 00:00", "2026-03-02 00:00", "2026-03-09 00:00"),
    ("month", "UTC", "2028-02-29 12:00", "2028-02-01 00:00", "2028-03-01 00:00"),
    ("month", "UTC", "2026-12-31 23:59", "2026-12-01 00:00", "2027-01-01 00:00"),
    ("month", "Europe/Berlin", "2026-01-31 23:30", "2026-01-31 23:00", "2026-02-28 23:00"),
    # The clocks are set forward on 29 March and back on 25 October: 23 and 25 hours.
    ("day", "Europe/Berlin", "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00"),
    ("day", "Europe/Berlin", "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00"),
    ("month", "Europe/Berlin", "2026-03-15 12:00", "2026-02-28 23:00", "2026-03-31 22:00"),
    ("month", "America/New_York", "2026-11-15 12:00", "2026-11-01 04:00", "2026-12-01 05:00"),
    ("week", "America/New_York", "2026-11-03 12:00", "2026-11-02 05:00", "2026-11-09 05:00"),
    ("day", "Asia/Kolkata", "2026-06-01 00:00", "2026-05-31 18:30", "2026-06-01 18:30"),
    ("month", "Pacific/Kiritimati", "2026-05-31 10:00", "2026-05-31 10:00", "2026-06-30 10:00"),
    # Midnight of 24 April does not exist in Cairo: the day begins at one o'clock, 22:00 UTC.
    ("day", "Africa/Cairo", "2026-04-24 12:00", "2026-04-23 22:00", "2026-04-24 21:00"),
]


@pytest.mark.parametrize(("period", "zone", "now", "start", "end"), PERIODS)
def test_periods(period, zone, now, start, end):
    assert period_at(period, zone, utc(now)) == Window(utc(start), utc(end))


@given(
    st.sampled_from(("day", "week", "month")),
    st.sampled_from(("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo")),
    st.integers(0, 17 * 365 * 86_400).map(lambda seconds: utc("2020-01-01") + timedelta(seconds=seconds)),
)
def test_periods_follow_each_other_without_a_gap(period, zone, now):
    window = period_at(period, zone, now)
    assert window.start <= now < window.end
    after = period_at(period, zone, window.end)
    assert after.start == window.end
    assert period_at(period, zone, window.end - timedelta(microseconds=1)) == window


APRIL = Window(utc("2026-04-01 00:00"), utc("2026-05-01 00:00"))


@pytest.mark.parametrize(
    ("now", "spent", "expected"),
    [
        ("2026-04-01 00:00", 5 * USD, None),
        ("2026-04-02 05:59", 5 * USD, None),  # 29:59 of 720 hours
        ("2026-04-02 06:00", 5 * USD, 120 * USD),  # a 24th
        ("2026-04-11 00:00", 40 * USD, 120 * USD),  # a third
        ("2026-04-16 00:00", 50 * USD, 100 * USD),
        ("2026-04-16 00:00", 0, 0),
        ("2026-05-01 00:00", 77 * USD, 77 * USD),
    ],
)
def test_the_forecast_is_spent_over_the_elapsed_share(now, spent, expected):
    assert forecast_of(spent, APRIL, utc(now)) == expected


def test_the_forecast_of_a_month_with_a_change_of_clocks_counts_its_743_hours():
    march = period_at("month", "Europe/Berlin", utc("2026-03-10 00:00"))
    assert march.end - march.start == timedelta(hours=743)
    assert forecast_of(100 * USD, march, march.start + timedelta(hours=371.5)) == 200 * USD


def make_spec(**fields) -> BudgetSpec:
    values = {
        "display_name": "April",
        "period": "month",
        "time_zone": "UTC",
        "amount_nano_usd": 100 * USD,
        "threshold_percents": (50, 80, 100),
        "forecast_disabled": False,
        "providers": None,
        "models": None,
        "operations": None,
        "environments": None,
        "channel_ids": (),
        "disabled": False,
    }
    return BudgetSpec(**{**values, **fields})


def make_status(spent: int, forecast: int | None = None, *, unpriced: int = 0) -> BudgetStatus:
    return BudgetStatus(
        period=APRIL,
        spent_nano_usd=spent,
        forecast_nano_usd=forecast,
        request_count=200,
        unpriced_count=unpriced,
    )


@pytest.mark.parametrize(
    ("spent", "forecast", "reached"),
    [
        (0, None, []),
        (50 * USD - 1, None, []),
        (50 * USD, None, ["50 %"]),
        (80 * USD, 100 * USD, ["50 %", "80 %"]),
        (80 * USD, 100 * USD + 1, ["50 %", "80 %", "forecast"]),
        (2**70, 2**71, ["50 %", "80 %", "100 %", "forecast"]),
    ],
)
def test_thresholds(spent, forecast, reached):
    alerts = check_thresholds(uuid.UUID(int=1), make_spec(), make_status(spent, forecast))
    assert [alert.group for alert in alerts if alert.reached] == reached
    assert len({alert.fingerprint for alert in alerts}) == len(alerts)


def test_the_share_of_calls_without_a_price_is_said():
    first, *_ = check_thresholds(uuid.UUID(int=1), make_spec(), make_status(50 * USD, unpriced=50))
    assert "the cost of 25 % of the calls is unknown" in first.summary
    first, *_ = check_thresholds(uuid.UUID(int=1), make_spec(), make_status(50 * USD))
    assert first.summary == "$50.00 of $100.00 are spent, 50 % of the month's budget"


def test_another_amount_or_period_is_another_alert():
    def fingerprint(spec: BudgetSpec, period: Window = APRIL) -> str:
        status = BudgetStatus(
            period=period, spent_nano_usd=0, forecast_nano_usd=None, request_count=0, unpriced_count=0
        )
        return check_thresholds(uuid.UUID(int=1), spec, status)[0].fingerprint

    may = Window(APRIL.end, utc("2026-06-01 00:00"))
    found = {
        fingerprint(make_spec()),
        fingerprint(make_spec(amount_nano_usd=1)),
        fingerprint(make_spec(), may),
    }
    assert len(found) == 3
    assert fingerprint(make_spec(display_name="renamed")) in found


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (1, "$1e-09"),
        (12_300_000, "$0.0123"),
        (USD, "$1.00"),
        (1_234_567 * USD, "$1,234,567.00"),
    ],
)
def test_amounts_are_written_for_people(nano, text):
    assert format_usd(nano) == text
