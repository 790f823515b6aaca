"""Makes the log of a call from its span, but for log_id and the session's fallback, which come later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from llm_observe import limits
from llm_observe.v1 import log_pb2

from codec.otlp.classify import plan_of
from codec.otlp.dialects.logfire import is_stream_record
from codec.otlp.metadata import metadata_of
from codec.otlp.outcomes import CANCELLED, ERROR, Answer, outcome_of
from codec.otlp.providers import UNKNOWN, provider_of
from codec.otlp.resources import environment_of, host_of, release_of, source_of
from codec.otlp.usage import Usage
from codec.otlp.values import to_count, to_flag, to_list, to_name, to_number, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

    from codec.otlp.classify import Classified
    from codec.otlp.sources import Dialect
    from codec.otlp.span import Span
    from codec.otlp.values import Value

    Value_ = TypeVar("Value_")

_NANOS: Final = 1_000_000_000
_FINISH_PREFIXES: Final = ("finishreason.", "finish_reason_", "stopreason.")
_OUTCOMES: Final = {
    "SUCCESS": log_pb2.OUTCOME_SUCCESS,
    ERROR: log_pb2.OUTCOME_ERROR,
    CANCELLED: log_pb2.OUTCOME_CANCELLED,
}
_TEXT_FIELDS: Final = (
    "conversation_id", "user_id", "provider_request_id", "provider_response_id", "session_id",
)  # fmt: skip
_SHARED_FIELDS: Final = ("session_id", "conversation_id", "user_id")
_COUNT_FIELDS: Final = {
    "input_token_count": "input", "output_token_count": "output", "total_token_count": "total",
    "cache_read_token_count": "cache_read", "cache_write_token_count": "cache_write",
    "cache_write_1h_token_count": "cache_write_1h", "reasoning_token_count": "reasoning",
    "audio_input_token_count": "audio_input", "audio_output_token_count": "audio_output",
}  # fmt: skip
_LONG_TEXT_CHARS: Final = 8_000


def call_log(span: Span, classified: Classified) -> log_pb2.Log:
    """Return the log of a call; log_id is empty, and session_id where the span names no session."""
    reader = _Fields(span, classified.dialect)
    usage = _usage_of(span, reader.dialects)
    log = log_pb2.Log(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        operation=classified.role.operation,
        source=source_of(span),
        environment=environment_of(span),
        release=release_of(span),
        metadata=metadata_of(span),
        tags=_tags_of(reader),
    )
    for field in _TEXT_FIELDS:
        text = reader.name(field)
        if text:
            setattr(log, field, text[: limits.MAX_TEXT_CHARS[field]])
    _set_names(log, reader)
    _set_usage(log, usage)
    _set_times(log, span, reader)
    _set_answer(log, span, reader, classified.dialect, usage)
    return log


def context_log(span: Span, classified: Classified) -> log_pb2.Log | None:
    """Return what the calls below a span share: its session, user and tags; None where it names none."""
    reader = _Fields(span, classified.dialect)
    texts = {field: reader.name(field)[: limits.MAX_TEXT_CHARS[field]] for field in _SHARED_FIELDS}
    tags = _tags_of(reader)
    if not tags and not any(texts.values()):
        return None
    log = log_pb2.Log(tags=tags)
    for field, text in texts.items():
        setattr(log, field, text)
    return log


class _Fields:
    """Takes the values of fields from a span."""

    def __init__(self, span: Span, dialect: Dialect) -> None:
        self._span = span
        self.dialects, self._sources = plan_of(span, dialect)

    def first(self, field: str, convert: Callable[[Value], Value_ | None]) -> Value_ | None:
        """Return the first value of a field that converts; an empty text of a reader ends the search."""
        attributes = self._span.attributes
        for source in self._sources.get(field, ()):
            if isinstance(source, str):
                value = attributes.get(source)
            else:
                value = source(self._span)
                if value == "":
                    return None
            if value is not None:
                converted = convert(value)
                if converted is not None:
                    return converted
        return None

    def name(self, field: str) -> str:
        """Return a name or an id, empty where there is none."""
        return self.first(field, to_name) or ""

    def text(self, field: str) -> str:
        """Return a field's text, empty where there is none."""
        return self.first(field, to_text) or ""

    def finish_reason(self) -> str | None:
        """Return why the model stopped; empty where the emitter has no reason, None where nothing is said."""
        said = None
        for source in self._sources.get("finish_reason", ()):
            value = self._span.attributes.get(source) if isinstance(source, str) else source(self._span)
            if isinstance(value, str):
                text = value.strip()
                if text and text.lower() not in {"none", "null"}:
                    return _plain_reason(text)
                said = ""
        return said


def _plain_reason(text: str) -> str:
    """Return ``stop`` of ``FinishReason.STOP``."""
    for prefix in _FINISH_PREFIXES:
        if text.lower().startswith(prefix):
            return text[len(prefix) :].lower()
    return text[: limits.MAX_TEXT_CHARS["finish_reason"]]


def _usage_of(span: Span, dialects: tuple[Dialect, ...]) -> Usage:
    """Return the counts of the first dialect that has any, else a total alone."""
    total = Usage()
    for dialect in dialects:
        found = dialect.usage(span)
        if found:
            return found.normalized()
        total = total if found.total is None else found
    return total


def _set_names(log: log_pb2.Log, reader: _Fields) -> None:
    model, answering = reader.name("model"), reader.name("answering_model")
    model = model or answering or reader.name("named_model") or reader.name("response_model") or UNKNOWN
    response_model = reader.name("response_model") or (answering if answering != model else "")
    log.model = model[: limits.MAX_TEXT_CHARS["model"]]
    log.response_model = response_model[: limits.MAX_TEXT_CHARS["response_model"]]
    log.provider = provider_of(reader.name("provider"), model)[: limits.MAX_TEXT_CHARS["provider"]]
    log.service_tier = reader.name("service_tier").lower()[: limits.MAX_TEXT_CHARS["service_tier"]]
    log.server_address = host_of(reader.name("server_address"))
    cost = reader.first("cost", to_number)
    if cost:
        log.reported_cost_nano_usd = min(round(cost * _NANOS), limits.MAX_COUNT)
    retries = reader.first("retry_count", to_count)
    if retries is not None and retries <= limits.MAX_RETRY_COUNT:
        log.retry_count = retries


def _set_usage(log: log_pb2.Log, usage: Usage) -> None:
    for field, name in _COUNT_FIELDS.items():
        count = getattr(usage, name)
        if count is not None and count <= limits.MAX_COUNT:
            setattr(log, field, count)
    log.usage_source = log_pb2.USAGE_SOURCE_REPORTED if usage else log_pb2.USAGE_SOURCE_MISSING


def _set_times(log: log_pb2.Log, span: Span, reader: _Fields) -> None:
    start, latency = span.start_ns, span.duration_ns
    if is_stream_record(span):  # it stands at the end of what it measures
        latency = round((to_number(span.attributes["duration"]) or 0) * _NANOS)
        start = max(0, span.end_ns - latency)
    ttft = reader.first("ttft_ns", to_count)
    _set_time(log.start_time, start)
    _set_time(log.end_time, start + latency)
    _set_time(log.latency, latency)
    if ttft:
        ttft = min(ttft, latency)
        _set_time(log.time_to_first_token, ttft)
        _set_time(log.first_token_time, start + ttft)
    log.streamed = bool(reader.first("streamed", to_flag)) or bool(ttft)


def _set_time(message: Timestamp | Duration, nanoseconds: int) -> None:
    message.seconds, message.nanos = divmod(nanoseconds, _NANOS)


def _set_answer(log: log_pb2.Log, span: Span, reader: _Fields, dialect: Dialect, usage: Usage) -> None:
    log.input_preview = reader.text("input_preview")
    log.output_preview = reader.text("output_preview")
    reason, streamed = reader.finish_reason(), reader.first("streamed", to_flag)
    ends_are_told = dialect.ends_are_told and log.operation != "embeddings"
    known = Answer(reason, usage.output, bool(log.output_preview), log.streamed or streamed, ends_are_told)
    outcome = outcome_of(span, known)
    log.outcome = _OUTCOMES[outcome.outcome]
    if outcome.outcome == CANCELLED:
        return
    log.finish_reason = (reason or "") if outcome.outcome != ERROR else ""
    log.error_code = outcome.error_code
    log.error_message = outcome.error_message[:_LONG_TEXT_CHARS]
    if outcome.http_status is not None:
        log.http_status = outcome.http_status
    if outcome.outcome == ERROR and log.response_model == log.model and not log.provider_response_id:
        log.response_model = ""  # copied from the request


def _tags_of(reader: _Fields) -> list[str]:
    tags = (to_text(tag) for tag in reader.first("tags", to_list) or ())
    known = dict.fromkeys(tag[: limits.MAX_TAG_CHARS] for tag in tags if tag)
    return list(known)[: limits.MAX_TAGS]
