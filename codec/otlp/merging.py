"""Puts the log of a call together from what several spans, and log records, tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe import limits
from llm_observe.v1 import log_pb2

from codec.otlp.providers import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

_LENT_TEXTS: Final = (
    "session_id", "conversation_id", "user_id", "environment", "release", "input_preview", "output_preview",
    "response_model", "provider_request_id", "provider_response_id", "service_tier", "server_address",
    "error_code", "error_message",
)  # fmt: skip
_SHARED_TEXTS: Final = ("session_id", "conversation_id", "user_id")
_OF_ERRORS: Final = {"error_code", "error_message"}
_LENT_NUMBERS: Final = ("http_status", "retry_count", "reported_cost_nano_usd")
ALSO_REPORTED_BY: Final = "also_reported_by"
"""Key of a log's metadata: the other instrumentations that reported the same call."""


def merge_views(
    log_id: str, views: Sequence[log_pb2.Log], contexts: Sequence[log_pb2.Log] = ()
) -> log_pb2.Log:
    """Return the log of a call.

    Args:
        log_id: Its id.
        views: What each span tells of it. The first gives identity, times, counts and outcome, the others
        what it
            lacks.
        contexts: What the spans around it say of session, user and tags, the nearest first.
    """
    log = log_pb2.Log()
    log.CopyFrom(views[0])
    log.log_id = log_id
    for view in views[1:]:
        _lend(log, view)
    for context in contexts:
        _share(log, context)
    others = sorted({view.source for view in views[1:]} - {log.source, ""})
    if others and len(log.metadata) < limits.MAX_METADATA_PAIRS:
        log.metadata[ALSO_REPORTED_BY] = ", ".join(others)[: limits.MAX_METADATA_VALUE_CHARS]
    # The fallbacks come last, or they would keep what another span knows out.
    log.session_id = log.session_id or log.conversation_id or log.trace_id
    return log


def _has(log: Message, field: str) -> bool:
    return log.HasField(field)


def _lend(log: log_pb2.Log, view: log_pb2.Log) -> None:
    failed = log.outcome == log_pb2.OUTCOME_ERROR
    for field in _LENT_TEXTS:
        if not getattr(log, field) and (failed or field not in _OF_ERRORS):
            setattr(log, field, getattr(view, field))
    for field in _LENT_NUMBERS:
        if not _has(log, field) and _has(view, field) and (failed or field != "http_status"):
            setattr(log, field, getattr(view, field))
    if not log.finish_reason and log.outcome == log_pb2.OUTCOME_SUCCESS:
        log.finish_reason = view.finish_reason
    _lend_usage(log, view)
    _lend_parts(log, view)
    _lend_names(log, view)
    _lend_times(log, view)
    for key, value in view.metadata.items():
        if key not in log.metadata and len(log.metadata) < limits.MAX_METADATA_PAIRS:
            log.metadata[key] = value
    _add_tags(log, view)


def _lend_usage(log: log_pb2.Log, view: log_pb2.Log) -> None:
    missing, reported = log_pb2.USAGE_SOURCE_MISSING, log_pb2.USAGE_SOURCE_REPORTED
    if (log.usage_source, view.usage_source) != (missing, reported):
        return
    log.usage_source = reported
    for field in limits.TOKEN_COUNTS:
        if _has(view, field):
            setattr(log, field, getattr(view, field))


def _lend_parts(log: log_pb2.Log, view: log_pb2.Log) -> None:
    """Take parts of the counts where both agree on the whole."""
    for whole, parts in (
        (
            "input_token_count",
            ("cache_read_token_count", "cache_write_token_count", "cache_write_1h_token_count"),
        ),
        ("output_token_count", ("reasoning_token_count",)),
    ):
        if _has(log, whole) and _has(view, whole) and getattr(log, whole) == getattr(view, whole):
            for part in parts:
                if not _has(log, part) and _has(view, part):
                    setattr(log, part, getattr(view, part))


def _lend_names(log: log_pb2.Log, view: log_pb2.Log) -> None:
    if log.provider == UNKNOWN:
        log.provider = view.provider
    if log.model == UNKNOWN:
        log.model = view.model


def _lend_times(log: log_pb2.Log, view: log_pb2.Log) -> None:
    log.streamed = log.streamed or view.streamed
    if log.HasField("time_to_first_token") or not view.HasField("time_to_first_token"):
        return
    ttft = view.time_to_first_token.ToNanoseconds()
    if ttft <= log.latency.ToNanoseconds():
        log.time_to_first_token.FromNanoseconds(ttft)
        log.first_token_time.FromNanoseconds(log.start_time.ToNanoseconds() + ttft)


def _share(log: log_pb2.Log, context: log_pb2.Log) -> None:
    for field in _SHARED_TEXTS:
        if not getattr(log, field):
            setattr(log, field, getattr(context, field))
    _add_tags(log, context)
    if context.provider:  # a call around it: a framework may name the model there alone
        _lend_names(log, context)


def _add_tags(log: log_pb2.Log, other: log_pb2.Log) -> None:
    if not log.tags:
        log.tags.extend(other.tags)
