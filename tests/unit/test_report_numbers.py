"""Each report's numbers over a few logs, worked out by hand: unknown is not 0, ties have an order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from analytics.reports.catalogue import reports
from analytics.windows import Window
from tests.support.history import START, ask, make_rows

DAY_S = 86_400


def test_percentiles_are_interpolated_and_of_successful_calls():
    rows = make_rows(
        model=["b", "b", "b", "b", "b", "b", "a", "a"],
        latency_us=[100, 200, 300, 400, None, 9000, 5, 7],
        outcome=["success"] * 5 + ["error"] + ["success"] * 2,
    )
    answer = ask("latency-percentiles", rows)
    assert answer.select("value", "request_count", "average_us", "longest_us") == [
        ("b", 4, 250.0, 400),
        ("a", 2, 6.0, 7),
    ]
    assert answer.column("p50_us") == [250.0, 6.0]
    assert answer.column("p90_us") == pytest.approx([370, 6.8])
    assert answer.column("p95_us") == pytest.approx([385, 6.9])
    assert answer.column("p99_us") == pytest.approx([397, 6.98])


def test_percentiles_of_equally_frequent_groups_are_in_order_of_their_names():
    rows = make_rows(model=["c", "a", "b"], time_to_first_token_us=[1, 2, 3], latency_us=[None, 9, 9])
    answer = ask("latency-percentiles", rows, measure="time_to_first_token", limit=2)
    assert answer.select("value", "p50_us") == [("a", 2.0), ("b", 3.0)]


def test_cost_leaves_unknown_costs_out():
    rows = make_rows(
        user_id=["ann", "ann", "ann", "bob", "cid", "dan"],
        cost_nano_usd=[10, None, 20, 70, None, 0],
        input_token_count=[1, 2, None, 4, None, 6],
    )
    assert ask("cost", rows).rows == [
        ("bob", 1, 0, 70, 0.7, 70.0, 4, None),
        ("ann", 3, 1, 30, 0.3, 15.0, 3, None),
        ("dan", 1, 0, 0, 0.0, 0.0, 6, None),
        ("cid", 1, 1, None, None, None, None, None),
    ]


def test_no_known_cost_at_all_has_no_share():
    assert (
        ask("cost", make_rows(user_id=["a", "b"], cost_nano_usd=[0, None])).column("cost_share") == [None] * 2
    )


def test_cost_by_day_is_by_utc_days():
    rows = make_rows(
        at_s=[0, DAY_S - 1, DAY_S, DAY_S], model=["m", "m", "m", "n"], cost_nano_usd=[1, None, 4, None]
    )
    assert ask("cost-by-day", rows).rows == [
        (date(2026, 11, 2), "m", 2, 1, 1),
        (date(2026, 11, 3), "m", 1, 0, 4),
        (date(2026, 11, 3), "n", 1, 1, None),
    ]


def test_the_forecast_is_of_the_month_in_which_the_window_ends():
    window = Window(datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC))
    rows = make_rows(at_s=[-3 * DAY_S, 0, DAY_S, DAY_S], cost_nano_usd=[1000, 10, 20, None])
    ((value, requests, unpriced, cost, share, forecast),) = ask("cost-forecast", rows, window).rows
    assert (value, requests, unpriced, cost) == ("all", 3, 1, 30)
    assert abs(share - 1 / 3) < 1e-12
    assert abs(forecast - 90) < 1e-9


def test_a_window_that_ends_with_a_month_is_of_that_month_and_one_within_it_of_a_part():
    end = datetime(2026, 12, 1, tzinfo=UTC)
    rows = make_rows(at_s=[20 * DAY_S], cost_nano_usd=[30])
    whole = ask("cost-forecast", rows, Window(datetime(2026, 11, 1, tzinfo=UTC), end))
    assert whole.select("month_share", "forecast_cost_nano_usd") == [(1.0, 30.0)]
    half = ask("cost-forecast", rows, Window(end - timedelta(days=15), end))
    assert half.select("month_share", "forecast_cost_nano_usd") == [(0.5, 60.0)]


def test_sizes_begin_at_their_bounds():
    rows = make_rows(
        input_token_count=[0, 1, 9, 10, 99, 100, 1_000_000, None], cost_nano_usd=[None, 1, 2, 3, 4, 5, 6, 7]
    )
    assert ask("token-distribution", rows).select(
        "value", "tokens_from", "request_count", "total_cost_nano_usd"
    ) == [
        ("all", 0, 1, None),
        ("all", 1, 2, 3),
        ("all", 10, 1, 3),
        ("all", 50, 1, 4),
        ("all", 100, 1, 5),
        ("all", 1_000_000, 1, 6),
    ]


def test_shares_of_sizes_add_up_within_their_group():
    rows = make_rows(output_token_count=[1, 1, 1, 10, 5], model=["a", "a", "a", "a", "b"])
    answer = ask("token-distribution", rows, tokens="output", dimension="model")
    assert answer.select("value", "tokens_from", "request_share", "cumulative_share") == [
        ("a", 1, 0.75, 0.75),
        ("a", 10, 0.25, 1.0),
        ("b", 1, 1.0, 1.0),
    ]


def test_slow_calls_with_equal_latency_are_in_order_of_their_ids():
    rows = make_rows(
        model=["a", "a", "a", "a", "b"],
        latency_us=[5, 9, 9, None, 1],
        outcome=["success", "success", "success", "success", "success"],
        input_preview=["p0", "p1", "p2", "p3", "p4"],
    )
    answer = ask("slow-calls", rows, examples=2)
    assert answer.select("value", "place", "latency_us", "input_preview") == [
        ("a", 1, 9, "p1"),
        ("a", 2, 9, "p2"),
        ("b", 1, 1, "p4"),
    ]
    assert answer.column("log_id") == [rows[1]["log_id"], rows[2]["log_id"], rows[4]["log_id"]]
    assert ask("slow-calls", rows, min_latency_us=9).column("latency_us") == [9, 9]


def test_expensive_calls_are_those_with_a_known_cost():
    rows = make_rows(cost_nano_usd=[5, None, 7, 7], user_id=["a", "b", "c", "d"])
    answer = ask("expensive-calls", rows, limit=2)
    assert answer.select("user_id", "cost_nano_usd") == [("c", 7), ("d", 7)]


def test_errors_that_differ_in_numbers_and_ids_are_one_cluster():
    messages = [
        "request 17 took 3.5 s",
        "request 4 took 10 s",
        "no such key: req_0123456789abcdef",
        "no such key: req_ZYXW0123456789",
        "user 0b9bb1f0-9a3f-4b7b-9a44-d2a0ff1fd9a1 at 0xDEADbeef",
        "",
        "request 1 took 1 s",
    ]
    rows = make_rows(
        error_message=messages, outcome=["error"] * 6 + ["success"], model=["m", "n", "m", "m", "m", "m", "m"]
    )
    answer = ask("error-clusters", rows)
    assert answer.select("template", "error_count", "error_share", "model_count") == [
        ("no such key: #", 2, 2 / 6, 1),
        ("request # took # s", 2, 2 / 6, 2),
        ("", 1, 1 / 6, 1),
        ("user # at #", 1, 1 / 6, 1),
    ]
    assert answer.column("example_log_id")[1] == rows[1]["log_id"]
    assert answer.column("first_time")[1] == START


def test_error_rates_count_by_status():
    rows = make_rows(
        model=["a", "a", "a", "a", "b"],
        outcome=["error", "error", "error", "success", "cancelled"],
        http_status=[429, 503, None, 500, None],
    )
    assert ask("error-rates", rows).rows == [("a", 4, 3, 0.75, 1, 1), ("b", 1, 0, 0.0, 0, 0)]
    assert ask("error-rates", rows, min_requests=2).column("value") == ["a"]


def test_weeks_are_compared_with_the_week_before_and_not_with_any_earlier_one():
    rows = make_rows(
        at_s=[0, DAY_S, 7 * DAY_S, 7 * DAY_S, 7 * DAY_S, 21 * DAY_S],
        outcome=["success", "error", "success", "success", "success", "success"],
        latency_us=[100, 5000, 150, None, None, 1],
        cost_nano_usd=[10, None, 5, None, None, None],
    )
    window = Window(START, START + timedelta(days=28))
    assert ask("week-over-week", rows, window).rows == [
        ("all", date(2026, 11, 2), 2, 2, None, 0.5, None, 100.0, None, 10, None),
        ("all", date(2026, 11, 9), 1, 3, 0.5, 0.0, 0.5, 150.0, 0.5, 5, -0.5),
        ("all", date(2026, 11, 23), 1, 1, None, 0.0, None, 1.0, None, None, None),
    ]


def test_savings_are_measured_against_the_prices_of_calls_without_a_cache():
    # 10 nano-dollars an input token, 30 an output token, 1 a token from the cache.
    rows = make_rows(
        input_token_count=[100, 200, 1000, 500],
        output_token_count=[10, 50, 20, 7],
        cache_read_token_count=[0, None, 800, 500],
        cost_nano_usd=[1300, 3500, 200 * 10 + 800 + 600, None],
    )
    ((*counts, share, cost, uncached, saved),) = ask("cache-savings", rows).rows
    assert counts == ["openai", "m", 4, 2, 1800, 1300, None]
    assert (share, cost) == (1300 / 1800, 3400)
    assert abs(uncached - (1000 * 10 + 20 * 30)) < 1e-6
    assert abs(saved - 800 * 9) < 1e-6


def test_savings_are_unknown_where_no_call_says_the_prices():
    rows = make_rows(
        model=["one", "one", "none", "free"],
        input_token_count=[100, 1000, 10, 10],
        output_token_count=[10, 20, 5, 5],
        cache_read_token_count=[0, 800, 5, 0],
        cost_nano_usd=[1300, 3400, 7, None],
    )
    answer = ask("cache-savings", rows)
    assert answer.select("model", "total_cost_nano_usd", "uncached_cost_nano_usd", "saved_nano_usd") == [
        ("one", 3400, None, None),
        ("free", None, None, None),
        ("none", 7, None, None),
    ]


def test_speed_after_the_first_token_is_of_streams():
    rows = make_rows(
        output_token_count=[101, 50, 10, None, 1, 0],
        latency_us=[2_000_000, 1_000_000, 0, 1, 500_000, 9],
        time_to_first_token_us=[1_000_000, 500_000, 1, 1, 400_000, 1],
        streamed=[True, False, True, True, True, True],
    )
    ((value, *counts, p10, p50, streamed, streamed_p10, streamed_p50),) = ask("tokens-per-second", rows).rows
    assert (value, counts, p50) == ("m", [3, 152], 50.0)  # of 50.5, 50 and 2
    assert abs(p10 - (2 + 0.2 * 48)) < 1e-9
    assert (streamed, streamed_p10, streamed_p50) == (1, 100.0, 100.0)


def test_time_to_first_token_by_length():
    rows = make_rows(
        output_token_count=[0, 99, 100, 250, None, 5],
        time_to_first_token_us=[10, 30, 50, 70, 90, None],
        latency_us=[100, 300, None, 700, 900, 5],
        streamed=[True, True, True, True, True, True],
    )
    assert ask("ttft-by-output-length", rows).rows == [
        ("all", 0, 2, 20.0, 29.0, 200.0),
        ("all", 100, 1, 50.0, 50.0, None),
        ("all", 200, 1, 70.0, 70.0, 700.0),
    ]


def test_a_storm_is_failures_and_retries_of_a_minute():
    rows = make_rows(
        at_s=[0, 59, 60, 61, 62],
        outcome=["error", "success", "error", "error", "success"],
        retry_count=[3, 2, None, 0, 0],
        http_status=[429, 200, 500, 429, 200],
        session_id=["a", "b", "c", "c", "d"],
    )
    second = START + timedelta(minutes=1)
    assert ask("retry-storms", rows, min_attempts=2).rows == [
        (START, "openai", "m", 6, 1, 5, 1, 2),
        (second, "openai", "m", 2, 2, 0, 1, 1),
    ]
    assert ask("retry-storms", rows, min_attempts=7).rows == []


def sessions():
    return make_rows(
        session_id=["a", "a", "b", "b", "b", "c"],
        at_s=[0, 90.6, 10, 20, 15, 5],
        cost_nano_usd=[5, None, 1, 1, 1, None],
        user_id=["", "ann", "bob", "bob", "bob", ""],
        outcome=["success", "error", "success", "success", "success", "success"],
        output_token_count=[1, 2, None, None, None, None],
    )


def test_sessions_by_cost_calls_and_duration():
    answer = ask("sessions", sessions())
    assert answer.rows[0] == ("a", "ann", START, 90, 2, 1, None, 3, 1, 5)
    assert answer.column("session_id") == ["a", "b", "c"]
    assert ask("sessions", sessions(), order="calls").column("session_id") == ["b", "a", "c"]
    assert ask("sessions", sessions(), order="duration").column("duration_s") == [90, 10, 0]


def test_lengths_of_sessions():
    assert ask("session-lengths", sessions()).rows == [
        (1, 1, 1 / 3, 0.0, None, None),
        (2, 1, 1 / 3, 90.0, 5.0, 5),
        (3, 1, 1 / 3, 10.0, 3.0, 3),
    ]


def test_growth_is_between_the_halves_of_the_window():
    middle = int(3.5 * DAY_S)
    rows = make_rows(
        at_s=[0, 1, middle - 1, middle, middle + 1, middle + 2, middle, 5],
        user_id=["ann", "bob", "bob", "ann", "ann", "cid", "", "dan"],
        cost_nano_usd=[10, 5, 5, 20, None, None, 1, None],
    )
    assert ask("growing-users", rows).rows == [
        ("ann", 1, 2, 1, 1.0),
        ("cid", None, 1, 1, None),
        ("dan", 1, None, -1, -1.0),
        ("bob", 2, None, -2, -1.0),
    ]
    assert ask("growing-users", rows, measure="cost", limit=3).rows == [
        ("ann", 10, 20, 10, 1.0),
        ("cid", None, None, 0, None),
        ("dan", None, None, 0, None),
    ]


def test_unpriced_models_tell_missing_prices_from_missing_usage():
    rows = make_rows(
        model=["a", "a", "a", "b", "c"],
        cost_nano_usd=[None, None, 7, 0, None],
        input_token_count=[5, None, 9, 1, None],
        output_token_count=[None, None, 9, 1, 3],
    )
    assert ask("unpriced-models", rows).rows == [
        ("openai", "a", 2, 2 / 3, 1, 1, 5, None, START + timedelta(seconds=1)),
        ("openai", "c", 1, 1.0, 1, 0, None, 3, START + timedelta(seconds=4)),
    ]


def test_cancelled_calls_have_a_share_and_a_cost():
    rows = make_rows(
        model=["a", "a", "a", "b"],
        outcome=["cancelled", "cancelled", "success", "error"],
        latency_us=[100, None, 900, 900],
        time_to_first_token_us=[50, None, None, None],
        output_token_count=[3, None, 9, 9],
        cost_nano_usd=[None, 2, 9, 9],
    )
    assert ask("cancelled-calls", rows).rows == [
        ("a", 3, 2, 2 / 3, 100.0, 1, 3, 2),
        ("b", 1, 0, 0.0, None, 0, None, None),
    ]


def test_hours_of_the_day_gather_several_days():
    rows = make_rows(
        at_s=[3600, DAY_S + 3660, 0, 0],
        outcome=["success", "error", "success", "success"],
        latency_us=[100, 900, None, 50],
        cost_nano_usd=[None, None, 3, None],
        model=["a", "a", "a", "b"],
    )
    assert ask("hours-of-day", rows).rows == [
        ("a", 0, 1, 0.0, None, None, 3),
        ("a", 1, 2, 0.5, 100.0, 100.0, None),
        ("b", 0, 1, 0.0, 50.0, 50.0, None),
    ]


def test_finish_reasons_have_shares_of_successful_calls():
    rows = make_rows(
        finish_reason=["stop", "stop", "length", "", "stop"],
        output_token_count=[10, None, 100, None, 4],
        outcome=["success"] * 4 + ["error"],
    )
    assert ask("finish-reasons", rows).rows == [
        ("m", "stop", 2, 0.5, 10.0),
        ("m", "", 1, 0.25, None),
        ("m", "length", 1, 0.25, 100.0),
    ]


def test_a_daily_summary_counts_known_users():
    rows = make_rows(
        at_s=[0, 1, 2, DAY_S],
        user_id=["ann", "", "ann", ""],
        outcome=["success", "success", "error", "error"],
        latency_us=[100, 300, 9, 9],
        cost_nano_usd=[1, None, 2, None],
        input_token_count=[1, 2, None, None],
    )
    assert ask("daily-summary", rows).rows == [
        (date(2026, 11, 2), 3, 1, 1 / 3, 200.0, 290.0, 3, None, 1, 3),
        (date(2026, 11, 3), 1, 0, 1.0, None, None, None, None, 1, None),
    ]


def test_every_report_is_checked_here():
    source = Path(__file__).read_text("utf-8")
    assert [name for name in reports() if f'ask("{name}"' not in source] == []
