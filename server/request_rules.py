"""The rules of requests other than logs: windows, filters, limits, ids, chat turns."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from server.errors import InvalidField
from server.log_rules import is_uuid
from storage.dead_letters import DeadLetterFilter
from storage.rollups import RollupQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp
    from llm_observe.v1.admin_service_pb2 import DeadLetterFilter as AskedDeadLetters
    from llm_observe.v1.chat_service_pb2 import ChatTurn
    from llm_observe.v1.filter_pb2 import MetricFilter, TimeRange
    from llm_observe.v1.ingest_service_pb2 import ProducerReport

_HOUR: Final = timedelta(hours=1)
_DEFAULT_WINDOW: Final = timedelta(hours=24)
_MAX_WINDOW: Final = timedelta(days=366)
_MAX_STEPS: Final = 1000
_DEFAULT_STEPS: Final = 60
_FILTER_VALUES: Final = 50
_MAX_SECONDS: Final = 253_402_300_799
_NANOS: Final = 1_000_000_000
_DROP_REASONS: Final = 50
_DEAD_LETTER_IDS: Final = 1000
DEAD_LETTER_STATES: Final = ("", "waiting", "replayed", "discarded")
"""Words of llm_observe.v1.DeadLetterState, by number."""
_MAX_CONTENT_CHARS: Final = 100_000


class Window(NamedTuple):
    """From start inclusive to end exclusive."""

    start: datetime
    end: datetime


def parse_window(time_range: TimeRange) -> Window:
    """Return the window asked for, by default the last 24 hours.

    Raises:
        InvalidField: It is empty, longer than 366 days, or not a time.
    """
    end, start = datetime.now(UTC), None
    if time_range.HasField("end_time"):
        end = parse_moment("time_range.end_time", time_range.end_time)
    if time_range.HasField("start_time"):
        start = parse_moment("time_range.start_time", time_range.start_time)
    start = start or end - _DEFAULT_WINDOW
    if start >= end:
        raise InvalidField([("time_range.end_time", "must be after start_time")])
    if end - start > _MAX_WINDOW:
        raise InvalidField([("time_range", "at most 366 days")])
    return Window(start, end)


def parse_moment(field: str, moment: Timestamp) -> datetime:
    """Return a moment.

    Raises:
        InvalidField: It is before 1971 or beyond what can be reckoned with.
    """
    # Two days of room, so that rounding to hours and the previous window stay inside datetime's range.
    if not 86_400 * 400 <= moment.seconds <= _MAX_SECONDS - 172_800 or not 0 <= moment.nanos < _NANOS:
        raise InvalidField([(field, "must be a timestamp after 1971")])
    return datetime.fromtimestamp(moment.seconds, UTC) + timedelta(microseconds=moment.nanos // 1000)


def whole_hours(window: Window) -> Window:
    """Widen a window to whole UTC hours."""
    start = window.start.replace(minute=0, second=0, microsecond=0)
    end = window.end.replace(minute=0, second=0, microsecond=0)
    return Window(start, end if end == window.end else end + _HOUR)


def rollup_query(
    project_id: str, window: Window, metric_filter: MetricFilter, *, step: timedelta, group_by: str = ""
) -> RollupQuery:
    """Return the rollup query of a window in whole hours.

    Raises:
        InvalidField: A filter has too many values.
    """
    filters = metric_filters(metric_filter)
    return RollupQuery(
        project_id=project_id,
        start_hour=window.start,
        end_hour=window.end,
        step=step,
        group_by=group_by,
        **filters,
    )


def metric_filters(metric_filter: MetricFilter) -> dict[str, Sequence[str] | None]:
    """Return the filter's lists, None where all match.

    Raises:
        InvalidField: A list has too many values.
    """
    filters: dict[str, Sequence[str] | None] = {}
    for field in ("providers", "models", "operations", "environments"):
        values = list(getattr(metric_filter, field))
        if len(values) > _FILTER_VALUES:
            raise InvalidField([(f"filter.{field}", f"at most {_FILTER_VALUES} values")])
        if any("\x00" in value for value in values):
            raise InvalidField([(f"filter.{field}", "must not contain NUL")])
        filters[field] = values or None
    return filters


def parse_step(step: Duration | None, window: Window) -> timedelta:
    """Return the step asked for, or one that gives a readable chart.

    Raises:
        InvalidField: It is not whole hours, or there would be too many steps.
    """
    hours = (window.end - window.start) // _HOUR
    if step is None:
        return _HOUR * max(1, math.ceil(hours / _DEFAULT_STEPS))
    if step.nanos or step.seconds < 1 or step.seconds % 3600 or step.seconds > 366 * 86_400:
        raise InvalidField([("step", "must be whole hours, at least 1 and at most 366 days")])
    asked = timedelta(seconds=step.seconds)
    if hours * _HOUR / asked > _MAX_STEPS:
        raise InvalidField([("step", f"gives more than {_MAX_STEPS} steps for this window")])
    return asked


def parse_limit(field: str, value: int, *, default: int, most: int) -> int:
    """Return a page size or limit: 0 means the default, more than the most is cut.

    Raises:
        InvalidField: It is negative.
    """
    if value < 0:
        raise InvalidField([(field, "must not be negative")])
    return min(value or default, most)


def parse_uuid(field: str, text: str) -> uuid.UUID:
    """Return a UUID.

    Raises:
        InvalidField: The text is not one.
    """
    if not is_uuid(text):
        raise InvalidField([(field, "must be a UUID")])
    return uuid.UUID(text)


def check_text(field: str, text: str, *, least: int = 0, most: int) -> None:
    """Check a text's length and that it can be stored.

    Raises:
        InvalidField: It is too short, too long, or contains NUL.
    """
    if not least <= len(text) <= most:
        wanted = f"{least} to {most} characters" if least else f"at most {most} characters"
        raise InvalidField([(field, wanted)])
    if "\x00" in text:
        raise InvalidField([(field, "must not contain NUL")])


def check_turn(turn: ChatTurn) -> None:
    """Check a chat turn.

    Raises:
        InvalidField: A field breaks its rule.
    """
    check_text("turn.session_id", turn.session_id, least=1, most=200)
    check_text("turn.provider", turn.provider, least=1, most=64)
    check_text("turn.model", turn.model, most=200)
    check_text("turn.content", turn.content, least=1, most=_MAX_CONTENT_CHARS)
    check_text("turn.system_prompt", turn.system_prompt, most=_MAX_CONTENT_CHARS)
    check_text("turn.user_id", turn.user_id, most=200)
    if turn.conversation_id:
        parse_uuid("turn.conversation_id", turn.conversation_id)
    if turn.request_id:
        parse_uuid("turn.request_id", turn.request_id)
    _check_metadata(turn)
    _check_parameters(turn)


def _check_metadata(turn: ChatTurn) -> None:
    if len(turn.metadata) > 50:  # noqa: PLR2004 - Log.metadata's limits
        raise InvalidField([("turn.metadata", "at most 50 pairs")])
    for key, value in turn.metadata.items():
        check_text("turn.metadata", key, least=1, most=64)
        check_text("turn.metadata", value, most=500)


def _check_parameters(turn: ChatTurn) -> None:
    given = turn.parameters
    if given.HasField("temperature") and not 0 <= given.temperature <= 2:  # noqa: PLR2004 - the vendors' range
        raise InvalidField([("turn.parameters.temperature", "0 to 2")])
    if given.HasField("top_p") and not 0 < given.top_p <= 1:
        raise InvalidField([("turn.parameters.top_p", "above 0, at most 1")])
    if given.HasField("max_output_tokens") and not 1 <= given.max_output_tokens <= 1_000_000:  # noqa: PLR2004 - sanity
        raise InvalidField([("turn.parameters.max_output_tokens", "1 to 1000000")])
    if len(given.stop_sequences) > 4:  # noqa: PLR2004 - OpenAI's limit
        raise InvalidField([("turn.parameters.stop_sequences", "at most 4")])
    for sequence in given.stop_sequences:
        check_text("turn.parameters.stop_sequences", sequence, least=1, most=100)


def dead_letter_filter(asked: AskedDeadLetters, project_id: str) -> DeadLetterFilter:
    """Return which dead letters are meant, by default those that wait.

    Raises:
        InvalidField: An id is no UUID, there are too many, or a state is unknown.
    """
    if len(asked.dead_letter_ids) > _DEAD_LETTER_IDS:
        raise InvalidField([("filter.dead_letter_ids", f"at most {_DEAD_LETTER_IDS}")])
    check_text("filter.reason", asked.reason, most=100)
    if not all(1 <= state < len(DEAD_LETTER_STATES) for state in asked.states):
        raise InvalidField([("filter.states", "is not a known state")])
    window = parse_window(asked.time_range) if asked.HasField("time_range") else None
    return DeadLetterFilter(
        project_id=project_id,
        states=[DEAD_LETTER_STATES[state] for state in asked.states] or ["waiting"],
        ids=[parse_uuid("filter.dead_letter_ids", text) for text in asked.dead_letter_ids] or None,
        reason=asked.reason or None,
        start_time=window.start if window else None,
        end_time=window.end if window else None,
    )


def check_producer(producer: ProducerReport) -> None:
    """Check a producer's account of itself; one that names no producer counts for nothing.

    Raises:
        InvalidField: It cannot be true.
    """
    if not producer.producer_id:
        return
    parse_uuid("producer.producer_id", producer.producer_id)
    if producer.batch_number < 1:
        raise InvalidField([("producer.batch_number", "counts from 1")])
    totals = (producer.logged_count, producer.sent_count, *producer.dropped_counts.values())
    if min(totals) < 0:
        raise InvalidField([("producer", "counts must not be negative")])
    if len(producer.dropped_counts) > _DROP_REASONS:
        raise InvalidField([("producer.dropped_counts", f"at most {_DROP_REASONS} reasons")])
    check_text("producer.sdk_name", producer.sdk_name, most=64)
    check_text("producer.sdk_version", producer.sdk_version, most=64)


def peer_of(context: Any) -> str:
    """Return who calls, without the port: connections of one machine count together."""
    peer: str = context.peer()
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer
