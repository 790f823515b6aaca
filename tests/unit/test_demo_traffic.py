"""Demo traffic is what an application could have sent, and the same for the same seed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

import pytest
from llm_observe.redaction import Redactor
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS, Log

from analytics.pricing.book import PriceBook
from analytics.pricing.rates import LATEST
from codec.rules import find_violation
from stack.demo.calls import ENVIRONMENT, end_of, start_of
from stack.demo.catalog import MODELS
from stack.demo.rhythm import DAYS, Rhythm
from stack.demo.traffic import live_calls, make_history

# A Wednesday evening, so that all weekdays are there.
END = datetime(2026, 11, 25, 20, 30, tzinfo=UTC)
IDS: Any = (
    "log_id",
    "session_id",
    "conversation_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "provider_request_id",
    "provider_response_id",
)


@pytest.fixture(scope="module")
def logs() -> list[Log]:
    return make_history(7, 20_000, END)


def without_ids(log: Log) -> bytes:
    copy = Log()
    copy.CopyFrom(log)
    for name in IDS:
        copy.ClearField(name)
    return copy.SerializeToString(deterministic=True)


def test_the_same_seed_makes_the_same_calls():
    first, again, other = (make_history(seed, 500, END) for seed in (1, 1, 2))
    assert list(map(without_ids, first)) == list(map(without_ids, again))
    assert {log.log_id for log in first}.isdisjoint(log.log_id for log in again)
    assert list(map(without_ids, first)) != list(map(without_ids, other))


@pytest.mark.parametrize("count", [1, 2, 17, 333])
def test_as_many_as_asked_for(count):
    logs = make_history(3, count, END)
    assert len({log.log_id for log in logs}) == count
    assert_traces_are_consistent(logs, whole=False)


def test_every_call_keeps_the_rules_and_is_marked(logs):
    assert {find_violation(log, END.timestamp()) for log in logs} == {None}
    assert {log.environment for log in logs} == {ENVIRONMENT}
    for log in logs:
        assert log.cache_read_token_count + log.cache_write_token_count <= log.input_token_count
        assert log.cache_write_1h_token_count <= log.cache_write_token_count
        assert log.reasoning_token_count <= log.output_token_count
        assert bool(log.error_code) == (log.outcome == OUTCOME_ERROR)


def test_calls_lie_in_the_seven_days_in_order(logs):
    starts = list(map(start_of, logs))
    assert starts == sorted(starts)
    assert min(starts) > (END - timedelta(days=DAYS) - timedelta(hours=1)).timestamp()
    assert max(map(end_of, logs)) <= END.timestamp() + 1e-5


def test_every_kind_of_call_is_there(logs):
    outcomes = Counter(log.outcome for log in logs)
    assert all(outcomes[kind] > 100 for kind in (OUTCOME_SUCCESS, OUTCOME_ERROR, OUTCOME_CANCELLED))
    assert {log.operation for log in logs} == {"chat", "embeddings", "execute_tool", "invoke_agent"}
    assert {"batch", "flex", "priority", "default"} <= {log.service_tier for log in logs}
    assert {log.model for log in logs} >= set(MODELS)
    assert any(log.retry_count for log in logs)
    assert any(log.cache_write_1h_token_count for log in logs)
    assert any(log.HasField("time_to_first_token") for log in logs)
    codes = {(log.provider, log.error_code) for log in logs if log.error_code}
    assert {
        ("openai", "rate_limit_exceeded"),
        ("anthropic", "overloaded_error"),
        ("gemini", "UNAVAILABLE"),
    } <= codes
    users = Counter(log.user_id for log in logs if log.user_id).most_common()
    assert users[0][1] > 20 * users[-1][1]
    turns = Counter(log.conversation_id for log in logs if log.conversation_id)
    assert max(turns.values()) > 3


def assert_traces_are_consistent(logs: list[Log], *, whole: bool = True) -> None:
    by_span = {(log.trace_id, log.span_id): log for log in logs if log.trace_id}
    assert len(by_span) == sum(bool(log.trace_id) for log in logs)
    roots = Counter(log.trace_id for log in by_span.values() if not log.parent_span_id)
    assert set(roots.values()) <= {1}
    assert set(roots) == {trace_id for trace_id, _ in by_span}
    for log in by_span.values():
        if log.parent_span_id:
            parent = by_span[log.trace_id, log.parent_span_id]
            assert start_of(parent) <= start_of(log)
            assert end_of(log) <= end_of(parent) + 1e-5
    if whole:
        operations = {log.trace_id: set[str]() for log in by_span.values()}
        for log in by_span.values():
            operations[log.trace_id].add(log.operation)
        assert {"invoke_agent", "chat", "execute_tool", "embeddings"} in operations.values()


def test_traces_are_consistent(logs):
    assert_traces_are_consistent(logs)


def test_days_are_busier_than_nights_and_weekends(logs):
    hours = Counter((log.start_time.ToDatetime().weekday(), log.start_time.ToDatetime().hour) for log in logs)
    noon, night = (sum(hours[day, hour] for day in range(5)) for hour in (14, 4))
    assert noon > 3 * night
    days = Counter(log.start_time.ToDatetime().weekday() for log in logs)
    assert max(days[5], days[6]) < min(days[day] for day in (0, 1, 3, 4)) * 0.7


def test_one_provider_has_a_slow_spell(logs):
    spell = Rhythm(END).slow_spell

    def numbers(*, inside: bool) -> tuple[float, float]:
        calls = [log for log in logs if log.provider == spell.provider and log.operation == "chat"]
        calls = [log for log in calls if spell.covers(log.provider, start_of(log)) == inside]
        latencies = sorted(log.latency.ToMicroseconds() for log in calls if log.outcome == OUTCOME_SUCCESS)
        return latencies[len(latencies) // 2], sum(log.outcome == OUTCOME_ERROR for log in calls) / len(calls)

    (slow, failed), (usual, rarely_failed) = numbers(inside=True), numbers(inside=False)
    assert slow > 2 * usual
    assert failed > 3 * rarely_failed


def test_a_release_takes_another_model_at_another_price(logs):
    switch_s = Rhythm(END).switch_s
    for model in MODELS.values():
        if model.succeeds:
            assert {start_of(log) >= switch_s for log in logs if log.model == model.succeeds} == {False}
            releases = {log.release for log in logs if log.model == model.succeeds}
            assert releases.isdisjoint(log.release for log in logs if log.model == model.name)
            book = PriceBook.built_in()
            rates = [book.card(model.provider, name).rows[-1].rates for name in (model.name, model.succeeds)]
            assert rates[0] != rates[1]


def test_the_price_book_knows_every_model_in_every_tier_used(logs):
    book = PriceBook.built_in()
    used = {(log.provider, log.model, log.service_tier) for log in logs if log.provider != "app"}
    for provider, model, tier in used:
        row = next(row for row in book.card(provider, model, tier).rows if row.until_us == LATEST)
        assert row.rates.input > 0, (provider, model, tier)


def test_a_tenth_of_the_questions_holds_something_to_redact(logs):
    redactor = Redactor()
    questions = [log.input_preview for log in logs if log.provider != "app" and log.input_preview]
    altered = sum(redactor.redact(question) != question for question in questions)
    assert 0.08 < altered / len(questions) < 0.12
    answers = {log.output_preview for log in logs if log.operation == "chat"}
    assert [answer for answer in answers if redactor.redact(answer) != answer] == []


def test_live_calls_come_when_they_have_ended_at_the_rate():
    start_s = END.timestamp()
    calls = list(islice(live_calls(5, 10.0, start_s), 3000))
    ends = [ended_s for ended_s, _ in calls]
    assert ends == sorted(ends)
    assert {find_violation(log, ended_s) for ended_s, log in calls} == {None}
    assert ends[0] > start_s
    assert 8 < len(calls) / (ends[-1] - start_s) < 12


@pytest.mark.parametrize("seed", range(3))
def test_live_calls_come_at_the_rate_from_the_start(seed):
    start_s = END.timestamp()
    early = list(takewhile(lambda call: call[0] < start_s + 30, live_calls(seed, 20.0, start_s)))
    assert 0.7 < len(early) / 600 < 1.3
    assert {log.provider for _, log in early} == {"openai", "anthropic", "gemini", "mistral", "app"}


@pytest.mark.parametrize("days", [1, 2, 30])
def test_a_history_of_other_lengths(days):
    logs = make_history(5, 3000, END, days)
    spell = Rhythm(END, days).slow_spell
    assert min(map(start_of, logs)) > (END - timedelta(days=days, hours=1)).timestamp()
    assert max(map(end_of, logs)) <= END.timestamp() + 1e-5
    assert (END - timedelta(days=days)).timestamp() < spell.start_s < spell.end_s < END.timestamp()
    assert len({log.release for log in logs}) == 2
    assert len({int(start_of(log) // 86_400) for log in logs}) >= days
    assert {log.provider for log in logs} == {"openai", "anthropic", "gemini", "mistral", "app"}


def test_the_last_day_has_calls_of_every_provider_in_most_hours(logs):
    last = [log for log in logs if start_of(log) > END.timestamp() - 86_400]
    for provider in ("openai", "anthropic", "gemini", "mistral"):
        hours = {int(start_of(log) // 3600) for log in last if log.provider == provider}
        assert len(hours) > 20
    minutes = Counter(int(start_of(log) // 60) for log in last)
    assert max(minutes.values()) < len(last) / 20  # no tower
