"""Rules and budgets over real rollups: what they see, and what becomes of their alerts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from analytics.alerts.budgets import period_at, read_budget
from analytics.alerts.rules import RuleReader
from analytics.alerts.values import METRICS
from storage import alerts
from storage.alert_rules import RULES
from storage.budgets import BUDGETS
from tests.support.alerts import (
    HOUR,
    MINUTE,
    NOW,
    all_alerts,
    budget_spec,
    make_budget,
    make_channel,
    make_evaluator,
    make_rule,
    no_queue,
    rule_spec,
    store_calls,
)
from tests.support.rollups import merge_all

IN_WINDOW = NOW - 4 * MINUTE
NOTICES = "SELECT status, summary FROM alert_notices ORDER BY notice_id"


async def see(database, now=NOW, **fields):
    """Return what a rule sees, by group: value, requests, breached."""
    evaluation = await RuleReader(database, no_queue).evaluate("default", rule_spec(**fields), now)
    return {each.group: (each.value, each.request_count, each.breached) for each in evaluation.observations}


async def see_value(database, **fields):
    return (await see(database, **fields))[""][0]


async def test_every_metric(database):
    await store_calls(database, IN_WINDOW, ok=3, latency="2s", timeToFirstToken="0.5s")
    await store_calls(database, IN_WINDOW, failed=1, model="nobody knows its price")
    await store_calls(database, NOW - 10 * MINUTE, ok=20)  # before the window
    await store_calls(database, NOW - 1 * MINUTE, ok=20)  # after it: late logs are still to come
    await store_calls(database, IN_WINDOW, ok=1, received=NOW, latency="2s", timeToFirstToken="0.5s")
    found = {metric: await see_value(database, metric=metric) for metric in METRICS}
    assert found["error_rate"] == pytest.approx(0.2)
    assert found["request_count"] == 5
    assert found["tokens"] == 150
    assert found["cost"] == 4 * 13_500
    assert found["unpriced_share"] == pytest.approx(0.2)
    assert found["latency_p95"] == pytest.approx(2, rel=0.0101)
    assert found["latency_p99"] == pytest.approx(2, rel=0.0101)
    assert found["ttft_p95"] == pytest.approx(0.5, rel=0.0101)


async def test_system_metrics(database):
    async def queue_age() -> float:
        return 75.0

    reader = RuleReader(database, queue_age)
    spec = rule_spec(metric="queue_age", threshold=60)
    (seen,) = (await reader.evaluate("default", spec, NOW)).observations
    assert (seen.value, seen.breached) == (75.0, True)
    (seen,) = (await reader.evaluate("default", rule_spec(metric="dead_letters"), NOW)).observations
    assert (seen.value, seen.breached) == (0.0, False)


async def test_no_data_is_not_zero(database):
    for metric in ("error_rate", "unpriced_share", "latency_p95", "latency_p99", "ttft_p95"):
        for comparison in ("above", "below"):
            seen = await see(database, metric=metric, comparison=comparison, threshold=0.5)
            assert seen == {"": (None, 0, False)}, metric
    assert await see(database, metric="request_count", comparison="below", threshold=1) == {"": (0, 0, True)}
    assert await see(database, metric="request_count", min_request_count=1) == {"": (None, 0, False)}


async def test_cost_without_any_price_is_unknown(database):
    await store_calls(database, IN_WINDOW, ok=2, model="nobody knows its price")
    assert await see(database, metric="cost", comparison="below", threshold=1) == {"": (None, 2, False)}


async def test_too_few_calls_are_no_data(database):
    await store_calls(database, IN_WINDOW, failed=9)
    assert await see(database, min_request_count=10) == {"": (None, 9, False)}
    assert await see(database, min_request_count=9) == {"": (1.0, 9, True)}


async def test_filters_and_groups(database):
    await store_calls(database, IN_WINDOW, failed=2, model="bad", environment="production")
    await store_calls(database, IN_WINDOW, ok=3, model="good", environment="staging")
    assert await see(database, group_by="model") == {"bad": (1.0, 2, True), "good": (0.0, 3, False)}
    assert await see(database, models=["good"]) == {"": (0.0, 3, False)}
    assert await see(database, environments=["production"], group_by="environment") == {
        "production": (1.0, 2, True)
    }


async def test_change_against_the_window_before(database):
    await store_calls(database, IN_WINDOW, ok=6)
    fields = {"metric": "tokens", "relative_to_previous": True, "threshold": 2}
    assert await see(database, **fields) == {"": (None, 6, False)}  # nothing to compare with
    await store_calls(database, IN_WINDOW - 5 * MINUTE, ok=2)
    assert await see(database, **fields) == {"": (3.0, 6, True)}


async def test_long_windows_are_of_equal_length(database):
    """Where minutes are no longer kept, both windows are whole hours."""
    for hours in range(1, 24 * 12):
        await store_calls(database, NOW - hours * HOUR, ok=1)
    await merge_all(database)
    fields = {"metric": "request_count", "relative_to_previous": True, "window_length": timedelta(days=5)}
    value, requests, _ = (await see(database, **fields))[""]
    assert value == 1.0
    assert requests == pytest.approx(120, abs=1)


async def test_late_logs_move_what_a_rule_sees(database):
    rule = await make_rule(database)
    evaluator = make_evaluator(database)
    await store_calls(database, IN_WINDOW, ok=1)
    await evaluator.evaluate(NOW)
    assert await all_alerts(database) == []
    await store_calls(database, IN_WINDOW, failed=9)
    await evaluator.evaluate(NOW + MINUTE)
    (alert,) = await all_alerts(database)
    assert (alert.source_id, alert.state, alert.value) == (rule.source_id, "firing", 0.9)
    assert alert.summary == "error rate is 90 % over 5 minutes; it is an alert above 50 %"


async def test_a_rule_is_evaluated_once_a_minute(database):
    await make_rule(database)
    evaluator = make_evaluator(database)
    begin = NOW.replace(second=0)
    assert [await evaluator.evaluate(begin + timedelta(seconds=at)) for at in (0, 30, 59, 60, 61)] == [
        1,
        0,
        0,
        1,
        0,
    ]
    # By a clock that is an hour behind: the one before was wrong, and the rule does not wait for it.
    assert await evaluator.evaluate(begin - HOUR) == 1


async def test_the_life_of_an_alert_and_its_notices(database, sql):
    channel_id = await make_channel(database, "https://example.com/")
    await make_rule(database, channel_ids=[channel_id], for_duration=2 * MINUTE, group_by="model")
    evaluator = make_evaluator(database)
    for minute in range(5):
        await store_calls(database, NOW - 2 * MINUTE + minute * MINUTE, failed=2, model="bad")
    states = []
    for minute in range(1, 20):
        await evaluator.evaluate(NOW + minute * MINUTE)
        states.append([alert.state for alert in await all_alerts(database)])
    assert states[:3] == [["pending"], ["pending"], ["firing"]]
    assert states[-1] == ["resolved"]
    (alert,) = await all_alerts(database)
    assert alert.labels == {
        "alertname": "Errors",
        "metric": "error_rate",
        "model": "bad",
        "project": "default",
        "severity": "warning",
    }
    assert [row["status"] for row in await sql.fetch(NOTICES)] == ["firing", "resolved"]


async def test_flapping_gives_one_notice(database, sql):
    channel_id = await make_channel(database, "https://example.com/")
    await make_rule(database, channel_ids=[channel_id], metric="request_count", threshold=0.5)
    evaluator = make_evaluator(database)
    for minute in range(0, 60, 7):  # five minutes of a breach, two without
        await store_calls(database, NOW + minute * MINUTE, ok=1)
    for minute in range(60):
        await evaluator.evaluate(NOW + minute * MINUTE)
    assert [row["status"] for row in await sql.fetch(NOTICES)] == ["firing"]


async def test_two_evaluators_at_once_make_one_notice_each(database, sql):
    channel_id = await make_channel(database, "https://example.com/")
    for number in range(10):
        await make_rule(database, channel_ids=[channel_id], display_name=f"rule {number}")
    await store_calls(database, IN_WINDOW, failed=5)
    evaluators = [make_evaluator(database) for _ in range(4)]
    for minute in range(12):
        now = NOW + minute * MINUTE
        counts = await asyncio.gather(*(each.evaluate(now) for each in evaluators))
        assert sum(counts) == 10
    assert {alert.state for alert in await all_alerts(database)} == {"resolved"}
    found = [row["status"] for row in await sql.fetch(NOTICES)]
    assert sorted(found) == ["firing"] * 10 + ["resolved"] * 10


async def test_an_evaluation_that_comes_late_changes_nothing(database, sql, monkeypatch):
    """Another evaluator has claimed the rule while this one was still reading."""
    await make_rule(database)
    await store_calls(database, IN_WINDOW, failed=5)
    slow, fast = make_evaluator(database), make_evaluator(database)
    reading, go_on = asyncio.Event(), asyncio.Event()
    evaluate = slow._reader.evaluate

    async def read_slowly(*args):
        seen = await evaluate(*args)
        reading.set()
        await go_on.wait()
        return seen

    monkeypatch.setattr(slow._reader, "evaluate", read_slowly)
    late = asyncio.create_task(slow.evaluate(NOW))
    await reading.wait()
    await fast.evaluate(NOW + 10 * MINUTE)
    go_on.set()
    await late
    assert await all_alerts(database) == []


async def test_a_rule_that_fails_does_not_stop_others(database):
    broken = await make_rule(database, display_name="broken", metric="queue_age")
    await make_rule(database)
    await store_calls(database, IN_WINDOW, failed=5)

    async def no_answer() -> float:
        raise RuntimeError("a text that must not be shown")

    evaluator = make_evaluator(database)
    evaluator._reader._read_queue_age = no_answer
    assert await evaluator.evaluate(NOW) == 2
    assert [alert.labels["alertname"] for alert in await all_alerts(database)] == ["Errors"]
    row = await RULES.get(database, "default", broken.source_id)
    assert row is not None
    assert row.evaluation_error == "the evaluation failed (RuntimeError)"
    evaluator._reader._read_queue_age = no_queue
    await evaluator.evaluate(NOW + MINUTE)
    row = await RULES.get(database, "default", broken.source_id)
    assert row is not None
    assert row.evaluation_error == ""


async def test_a_rule_that_hangs_does_not_hold_up_others(database):
    await make_rule(database, display_name="hangs", metric="queue_age")
    for number in range(5):
        await make_rule(database, display_name=f"rule {number}")
    await store_calls(database, IN_WINDOW, failed=5)
    go_on = asyncio.Event()

    async def hang() -> float:
        await go_on.wait()
        return 0.0

    evaluator = make_evaluator(database)
    evaluator._reader._read_queue_age = hang
    evaluating = asyncio.create_task(evaluator.evaluate(NOW))
    while len(await all_alerts(database)) < 5:
        await asyncio.sleep(0.01)
    assert not evaluating.done()
    go_on.set()
    assert await evaluating == 6


@pytest.mark.parametrize("how", ["disable", "delete"])
async def test_open_alerts_of_a_rule_that_ends_are_resolved(database, sql, how):
    channel_id = await make_channel(database, "https://example.com/")
    rule = await make_rule(database, channel_ids=[channel_id])
    await store_calls(database, IN_WINDOW, failed=5)
    evaluator = make_evaluator(database)
    await evaluator.evaluate(NOW)
    if how == "delete":
        assert await RULES.delete(database, "default", rule.source_id, now=NOW)
    else:
        disabled = rule_spec(channel_ids=[channel_id], disabled=True)
        await RULES.update(database, "default", rule.source_id, lambda _: disabled)
        assert await evaluator.evaluate(NOW + MINUTE) == 1
        assert await evaluator.evaluate(NOW + 2 * MINUTE) == 0
    (alert,) = await all_alerts(database)
    assert (alert.state, alert.labels["alertname"]) == ("resolved", "Errors")
    assert [row["status"] for row in await sql.fetch(NOTICES)] == ["firing", "resolved"]


# -- budgets -------------------------------------------------------------------------------------------

MONTH = period_at("month", "UTC", NOW - timedelta(days=40))
"""A month that is over: its minutes are not kept, its hours are."""
CALL_NANO_USD = 13_500


async def spend(database, at: datetime, calls: int) -> None:
    await store_calls(database, at, ok=calls)
    await merge_all(database)


async def test_a_known_month(database, sql):
    """Forecast, thresholds and resolution of a month, against sums made by hand."""
    channel_id = await make_channel(database, "https://example.com/")
    amount = 100 * CALL_NANO_USD
    budget = await make_budget(database, amount_nano_usd=amount, channel_ids=[channel_id])
    evaluator = make_evaluator(database)
    days = (MONTH.end - MONTH.start) // timedelta(days=1)
    fired = []
    for day in range(days):
        now = MONTH.start + timedelta(days=day, hours=12)
        await spend(database, now - HOUR, 4)
        status = await read_budget(database, "default", budget.spec, now)
        spent = 4 * (day + 1) * CALL_NANO_USD
        assert status.spent_nano_usd == spent
        if day == 0:
            assert status.forecast_nano_usd is None  # twelve hours of a month
        else:
            share_of_days = (2 * day + 1) / 2
            assert status.forecast_nano_usd == pytest.approx(spent * days / share_of_days)
        await evaluator.evaluate(now)
        open_alerts = {row.group_value for row in await all_alerts(database) if row.state == "firing"}
        fired.append(open_alerts)
    # Four calls a day are some 120 a month: the forecast is too high from the second day on, the 13th day
    # reaches a half, the 20th four fifths, the 25th all.
    first = {name: 1 + next(d for d in range(days) if name in fired[d]) for name in fired[-1]}
    assert first == {"forecast": 2, "50 %": 13, "80 %": 20, "100 %": 25}
    assert fired == sorted(fired, key=len)
    await evaluator.evaluate(MONTH.end + HOUR)
    assert {row.state for row in await all_alerts(database)} == {"resolved"}
    statuses = [row["status"] for row in await sql.fetch(NOTICES)]
    assert statuses == ["firing"] * 4 + ["resolved"] * 4


async def test_a_budget_counts_the_calls_of_its_filter_and_its_period(database):
    await spend(database, MONTH.start, 3)
    await spend(database, MONTH.start - HOUR, 5)  # the month before
    await store_calls(database, MONTH.start + HOUR, ok=2, model="nobody knows its price")
    status = await read_budget(database, "default", budget_spec(), MONTH.start + timedelta(days=2))
    assert (status.spent_nano_usd, status.request_count, status.unpriced_count) == (3 * CALL_NANO_USD, 5, 2)
    nothing = budget_spec(models=["another"])
    status = await read_budget(database, "default", nothing, MONTH.start + timedelta(days=2))
    assert (status.spent_nano_usd, status.request_count) == (0, 0)


async def test_another_amount_fires_anew_and_resolves_the_old(database):
    budget = await make_budget(database, amount_nano_usd=CALL_NANO_USD, threshold_percents=[100])
    evaluator = make_evaluator(database)
    now = MONTH.start + timedelta(days=2)
    await spend(database, now - HOUR, 10)
    await evaluator.evaluate(now)
    assert [row.group_value for row in await all_alerts(database)] == ["100 %", "forecast"]
    higher = budget_spec(amount_nano_usd=10**15, threshold_percents=[100])
    await BUDGETS.update(database, "default", budget.source_id, lambda _: higher)
    await evaluator.evaluate(now + MINUTE)
    assert {row.state for row in await all_alerts(database)} == {"resolved"}
    again = budget_spec(amount_nano_usd=2 * CALL_NANO_USD, threshold_percents=[100])
    await BUDGETS.update(database, "default", budget.source_id, lambda _: again)
    await evaluator.evaluate(now + 2 * MINUTE)
    assert [row.state for row in await all_alerts(database)] == ["resolved", "resolved", "firing", "firing"]


async def test_two_evaluators_of_budgets_make_one_notice_a_threshold(database, sql):
    channel_id = await make_channel(database, "https://example.com/")
    await make_budget(database, amount_nano_usd=1, channel_ids=[channel_id])
    now = MONTH.start + timedelta(days=2)
    await spend(database, now - HOUR, 1)
    for minute in range(3):
        await asyncio.gather(*(make_evaluator(database).evaluate(now + minute * MINUTE) for _ in range(4)))
    assert len(await sql.fetch(NOTICES)) == 4


async def test_old_alerts_are_forgotten_and_open_ones_kept(database, sql):
    await make_rule(database)
    await make_rule(database, metric="request_count", comparison="below", threshold=1, display_name="Silence")
    await store_calls(database, IN_WINDOW, failed=5)
    evaluator = make_evaluator(database)
    for minute in (0, 5, 9, 13):
        await evaluator.evaluate(NOW + minute * MINUTE)
    await alerts.forget_alerts(database, before=NOW + HOUR)
    assert {(row.state, row.labels["alertname"]) for row in await all_alerts(database)} == {
        ("firing", "Silence")
    }


def test_the_time_of_tests_is_now():
    assert abs(datetime.now(UTC) - NOW) < timedelta(days=1)
