"""Takes the spans of an export request: the calls among them go the way of all logs. What this answers, the queue has."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from llm_observe.limits import MAX_BATCH_LOGS
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from codec.otlp.folding import fold
from codec.otlp.limits import MAX_SPANS
from codec.otlp.merging import merge_views
from codec.otlp.requests import read_request
from server.rpc.auth import caller
from telemetry import metrics, tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log

    from codec.otlp.requests import ReadRequest, RejectedItem
    from codec.otlp.span import Span
    from server.rpc.rate_limit import RateLimiter

_MAX_SHOWN: Final = 10
"""Rejected spans that an answer names."""
_AT_ONCE: Final = 200
"""Spans that are read before others get their turn: about ten milliseconds."""
_ACCEPTED: Final = metrics.OTLP_ITEMS.child("span", "accepted")
_REJECTED: Final = metrics.OTLP_ITEMS.child("span", "rejected")
_FOLDED: Final = metrics.OTLP_ITEMS.child("span", "folded")


class LogSink(Protocol):
    """What takes a project's logs."""

    async def __call__(self, payload: bytes, project_id: str, traceparents: str) -> object:
        """Put the logs of a serialized IngestLogsRequest into the queue; when it returns, Redis has them.

        Raises:
            ApiError: It did not take them, or the request is wrong.
        """


class Taken(NamedTuple):
    """What became of a request."""

    rejected_count: int
    message: str
    """What is wrong with the rejected ones, naming fields and never values; empty where none was rejected."""


class SpanIntake:
    """Takes spans.

    Args:
        accept_logs: Takes the logs that they become.
        limiter: Bounds what a peer may send, in spans a minute.
        redactor: Redacts and cuts every text before it goes anywhere.
    """

    def __init__(self, accept_logs: LogSink, limiter: RateLimiter, redactor: Redactor) -> None:
        self._accept_logs = accept_logs
        self._limiter = limiter
        self._redactor = redactor

    async def take(self, spans: Iterable[Span], peer: str) -> Taken:
        """Take the spans of a request of the current caller's.

        Args:
            spans: In the order of the request.
            peer: Where it comes from, for callers without a key.

        Raises:
            RateLimited: The peer has used up this minute's limit.
            QueueIsUnavailable: Redis did not take them in time.
            ServerIsBusy: Too much waits in this process already.
        """
        request = await self._read(spans)
        if request.spans:
            await self._limiter.take(
                caller().api_key_id or peer, min(len(request.spans), self._limiter.limit)
            )
        for logs in _batches(self._fold(request)):
            payload = IngestLogsRequest(logs=logs).SerializeToString()
            await self._accept_logs(payload, caller().project_id, tracing.current_traceparent())
        _ACCEPTED.record(len(request.spans))
        _REJECTED.record(len(request.rejected))
        return Taken(len(request.rejected), _explain(request.rejected))

    async def _read(self, spans: Iterable[Span]) -> ReadRequest:
        request = read_request((), 0.0)
        async for part in _parts(spans):
            read = read_request(part, time.time(), self._redactor.redact_log, first_index=request.item_count)
            request = request.plus(read)
        return request

    def _fold(self, request: ReadRequest) -> list[Log]:
        logs = []
        for group in fold({key: read.node for key, read in request.spans.items()}):
            views = [view for key in group.members if (view := request.spans[key].view) is not None]
            contexts = [view for key in group.contexts if (view := request.spans[key].view) is not None]
            logs.append(merge_views(group.log_id, views, contexts))
            _FOLDED.record(len(group.members) - 1)
        return logs


async def _parts(spans: Iterable[Span]) -> AsyncIterator[list[Span]]:
    """Yield spans in parts, between which other calls get their turn."""
    part: list[Span] = []
    for span in spans:
        part.append(span)
        if len(part) == _AT_ONCE:
            yield part
            part = []
            await asyncio.sleep(0)
    if part:
        yield part


def _batches(logs: Sequence[Log]) -> Iterable[Sequence[Log]]:
    return (logs[start : start + MAX_BATCH_LOGS] for start in range(0, len(logs), MAX_BATCH_LOGS))


def _explain(rejected: Sequence[RejectedItem]) -> str:
    """Return which spans were rejected and why."""
    shown = [f"span {item.index}: {item.violation}" for item in rejected[:_MAX_SHOWN]]
    if len(rejected) > _MAX_SHOWN:
        shown.append(f"and {len(rejected) - _MAX_SHOWN} more")
    return "; ".join(shown)
