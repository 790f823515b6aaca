"""A filter means the same in SQL, in the live tail, and in plain words."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from llm_observe.v1.filter_pb2 import LogFilter, MetricFilter
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, OUTCOME_UNSPECIFIED, Log

from codec.rows import to_log, to_row
from server.reads.log_filter import LogMatcher, parse_log_filter
from server.rpc.errors import InvalidField
from storage.log_searches import KeyRange, LogScan
from storage.planning import plan_for_values
from tests.support.packing import insert
from tests.support.prices import BOOK
from tests.support.random_logs import random_filter, random_log

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = KeyRange.between(NOW.replace(hour=0, minute=0, second=0), NOW.replace(hour=23, minute=59, second=59))


def wanted(found: LogFilter, log: Log) -> bool:
    """The meaning of a filter, said once more."""
    metric = found.metric_filter
    texts = (log.input_preview, log.output_preview, log.error_message)
    lists = (
        (metric.providers, log.provider),
        (metric.models, log.model),
        (metric.operations, log.operation),
        (metric.environments, log.environment),
        (found.outcomes, log.outcome),
        (found.error_codes, log.error_code),
        (found.releases, log.release),
    )
    single = ("session_id", "conversation_id", "user_id", "trace_id")
    ranges = ("latency", "time_to_first_token", "input_token_count", "output_token_count", "cost_nano_usd")
    return (
        all(value in values for values, value in lists if values)
        and all(getattr(log, name) == getattr(found, name) for name in single if getattr(found, name))
        and all(tag in log.tags for tag in found.tags)
        and (not found.text or any(found.text.casefold() in text.casefold() for text in texts))
        and all(within(found, log, name) for name in ranges)
    )


def within(found: Any, log: Any, name: str) -> bool:
    bounds = [bound for bound in ("min", "max") if found.HasField(f"{bound}_{name}")]
    limits = {bound: number(getattr(found, f"{bound}_{name}")) for bound in bounds}
    value = number(getattr(log, name))
    return not bounds or (
        log.HasField(name) and limits.get("min", value) <= value <= limits.get("max", value)
    )


def number(value: int | Duration) -> int:
    return value.ToNanoseconds() if isinstance(value, Duration) else value


async def test_sql_and_the_live_tail_select_what_is_wanted(database):
    chance = random.Random(13)
    rows = [
        to_row(random_log(chance, NOW.replace(hour=12)), project_id="default", receive_time=NOW, prices=BOOK)
        for _ in range(300)
    ]
    rows = [row._replace(cost_nano_usd=chance.choice((None, 0, 1, 7, 2**53 + 1))) for row in rows]
    await insert(database, rows)
    logs = [to_log(row) for row in rows]
    selective: set[str] = set()
    async with database.connection() as connection, connection.transaction(read_only=True):
        await plan_for_values(connection)
        for _ in range(600):
            message = random_filter(chance)
            log_filter = parse_log_filter(message)
            matcher = LogMatcher(log_filter)
            expected = {log.log_id for log in logs if wanted(message, log)}
            assert {log.log_id for log in logs if matcher.matches(log)} == expected, message
            stored = await LogScan(connection, "default", log_filter).read(DAY, 1000)
            assert {str(row.log_id) for row in stored} == expected, message
            if 0 < len(expected) < len(logs):
                selective.update(MessageToDict(message, preserving_proto_field_name=True))
    assert selective == {field.name for field in LogFilter.DESCRIPTOR.fields}, "a field never decided"


def test_the_live_tail_reads_an_operation_that_is_not_set_as_chat():
    log_filter = parse_log_filter(LogFilter(metric_filter=MetricFilter(operations=["chat"])))
    assert LogMatcher(log_filter).matches(Log())


SECOND = Duration(seconds=1)


def unknown_outcome(number: int) -> LogFilter:
    found: Any = LogFilter()
    found.outcomes.append(number)
    made: LogFilter = found
    return made


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (LogFilter(metric_filter=MetricFilter(models=["m"] * 51)), "filter.metric_filter.models"),
        (LogFilter(metric_filter=MetricFilter(models=["\0"])), "filter.metric_filter.models"),
        (LogFilter(outcomes=[OUTCOME_SUCCESS] * 51), "filter.outcomes"),
        (LogFilter(outcomes=[OUTCOME_UNSPECIFIED]), "filter.outcomes"),
        (unknown_outcome(4), "filter.outcomes"),
        (unknown_outcome(-1), "filter.outcomes"),
        (LogFilter(error_codes=["e"] * 51), "filter.error_codes"),
        (LogFilter(error_codes=["\0"]), "filter.error_codes"),
        (LogFilter(error_codes=["e" * 201]), "filter.error_codes"),
        (LogFilter(releases=["r"] * 51), "filter.releases"),
        (LogFilter(releases=["\0"]), "filter.releases"),
        (LogFilter(tags=["t"] * 51), "filter.tags"),
        (LogFilter(tags=["\0"]), "filter.tags"),
        (LogFilter(session_id="\0"), "filter.session_id"),
        (LogFilter(conversation_id="c" * 201), "filter.conversation_id"),
        (LogFilter(user_id="\0"), "filter.user_id"),
        (LogFilter(trace_id="A" * 32), "filter.trace_id"),
        (LogFilter(trace_id="a" * 31), "filter.trace_id"),
        (LogFilter(text="x" * 201), "filter.text"),
        (LogFilter(text="\0"), "filter.text"),
        (LogFilter(min_latency=Duration(seconds=-1)), "filter.min_latency"),
        (LogFilter(max_latency=Duration(nanos=-1)), "filter.max_latency"),
        (LogFilter(max_latency=Duration(nanos=10**9)), "filter.max_latency"),
        (LogFilter(max_latency=Duration(seconds=2**62)), "filter.max_latency"),
        (LogFilter(min_latency=SECOND, max_latency=Duration()), "filter.max_latency"),
        (LogFilter(min_time_to_first_token=Duration(seconds=-1)), "filter.min_time_to_first_token"),
        (
            LogFilter(min_time_to_first_token=SECOND, max_time_to_first_token=Duration()),
            "filter.max_time_to_first_token",
        ),
        (LogFilter(min_input_token_count=-1), "filter.min_input_token_count"),
        (LogFilter(max_output_token_count=-1), "filter.max_output_token_count"),
        (LogFilter(min_output_token_count=2, max_output_token_count=1), "filter.max_output_token_count"),
        (LogFilter(min_cost_nano_usd=-(2**63)), "filter.min_cost_nano_usd"),
        (LogFilter(min_cost_nano_usd=1, max_cost_nano_usd=0), "filter.max_cost_nano_usd"),
    ],
)
def test_a_wrong_filter_is_refused_by_its_field(wrong, field):
    with pytest.raises(InvalidField) as caught:
        parse_log_filter(wrong)
    assert caught.value.violations[0][0] == field
