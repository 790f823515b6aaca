"""Takes the spans of an export request: the calls among them go the way of all logs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from llm_observe.limits import MAX_BATCH_LOGS
from llm_observe.v1 import span_pb2
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from codec.batch import AcceptedBatch
from codec.otlp.folding import changed_groups
from codec.otlp.merging import merge_views
from codec.otlp.requests import read_request
from codec.otlp.span_records import span_record
from server.rpc.auth import caller
from server.rpc.errors import QueueIsUnavailable, ServerIsBusy
from telemetry import metrics, tracing
from worker.queue.log_queue import QueueFull, QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log

    from codec.otlp.folding import Group, Key, Node
    from codec.otlp.requests import ReadRequest, ReadSpan, RejectedItem
    from codec.otlp.span import Span
    from server.otlp.fold_state import FoldState, KnownTraces
    from server.rpc.rate_limit import RateLimiter
    from worker.queue.log_queue import LogQueue

Item = TypeVar("Item")

_MAX_SHOWN: Final = 10
"""Rejected spans that an answer names."""
_READ_AT_ONCE: Final = 200
"""Spans that are read before other calls get their turn: about ten milliseconds."""
_FOLDED_AT_ONCE: Final = 1_000
"""Spans that Redis stores in one step: some milliseconds."""
_ACCEPTED: Final = metrics.OTLP_ITEMS.child("span", "accepted")
_REJECTED: Final = metrics.OTLP_ITEMS.child("span", "rejected")
_FOLDED: Final = metrics.OTLP_ITEMS.child("span", "folded")


class LogSink(Protocol):
    """What takes a project's logs."""

    async def __call__(
        self, payload: bytes, project_id: str, traceparents: str, receive_time_us: int
    ) -> object:
        """Put the logs of a serialized IngestLogsRequest into the queue; when it returns, Redis has them.

        What has a later receive_time_us replaces what has an earlier one.

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
        state: Remembers spans, so that those of one call are folded across requests.
        spans: Takes what is kept of the spans themselves; None keeps nothing.
    """

    def __init__(
        self,
        accept_logs: LogSink,
        limiter: RateLimiter,
        redactor: Redactor,
        state: FoldState,
        spans: LogQueue | None,
    ) -> None:
        self._accept_logs = accept_logs
        self._spans = spans
        self._limiter = limiter
        self._redactor = redactor
        self._state = state

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
            count = min(len(request.spans), self._limiter.limit)
            await self._limiter.take(caller().api_key_id or peer, count)
        for part in _parts(list(request.spans.values()), _FOLDED_AT_ONCE):
            await self._take_part(part)
        _ACCEPTED.record(len(request.spans))
        _REJECTED.record(len(request.rejected))
        return Taken(len(request.rejected), _explain(request.rejected))

    async def _read(self, spans: Iterable[Span]) -> ReadRequest:
        request = read_request((), 0.0)
        async for part in _pausing(spans):
            read = read_request(part, time.time(), self._redactor.redact_log, first_index=request.item_count)
            request = request.plus(read)
        return request

    async def _take_part(self, spans: Sequence[ReadSpan]) -> None:
        project_id = caller().project_id
        known = await self._state.add(project_id, spans)
        added = {span.node.key: span for span in spans}
        groups = changed_groups(known.nodes | _not_remembered(added, known), set(added), known.order)
        views = {key: span.view for key, span in added.items() if span.view is not None}
        missing = [key for group in groups for key in group.spans if key not in added]
        if missing:
            views |= await self._state.views(project_id, missing)
        logs = [log for group in groups if (log := _log_of(group, views)) is not None]
        for batch in _parts(logs, MAX_BATCH_LOGS):
            payload = IngestLogsRequest(logs=batch).SerializeToString()
            traceparent = tracing.current_traceparent()
            await self._accept_logs(payload, project_id, traceparent, known.receive_time_us)
        log_ids = {key: group.log_id for group in groups for key in group.members}
        await self._keep_spans(
            [span_record(span, log_ids.get(key, "")) for key, span in added.items()], known
        )

    async def _keep_spans(self, records: Sequence[span_pb2.Span], known: KnownTraces) -> None:
        if self._spans is None:
            return
        payload = span_pb2.SpanBatch(spans=records).SerializeToString()
        batch = AcceptedBatch(payload, caller().project_id, known.receive_time_us, len(records), 0)
        try:
            await self._spans.put(batch)
        except QueueUnavailable:
            raise QueueIsUnavailable from None
        except QueueFull:
            raise ServerIsBusy from None


def _not_remembered(added: dict[Key, ReadSpan], known: KnownTraces) -> dict[Key, Node]:
    """Return the spans that were too many to be remembered: they are folded among themselves."""
    return {
        key: span.node._replace(order=known.order) for key, span in added.items() if key not in known.nodes
    }


def _log_of(group: Group, views: dict[Key, Log]) -> Log | None:
    """Return the log of a call; None where what was remembered of it is gone."""
    told = [views[key] for key in group.members if key in views]
    if not told:
        return None
    _FOLDED.record(len(told) - 1)
    return merge_views(group.log_id, told, [views[key] for key in group.contexts if key in views])


async def _pausing(spans: Iterable[Span]) -> AsyncIterator[list[Span]]:
    """Yield spans in parts, between which other calls get their turn."""
    part: list[Span] = []
    for span in spans:
        part.append(span)
        if len(part) == _READ_AT_ONCE:
            yield part
            part = []
            await asyncio.sleep(0)
    if part:
        yield part


def _parts(items: Sequence[Item], size: int) -> Iterable[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _explain(rejected: Sequence[RejectedItem]) -> str:
    """Return which spans were rejected and why."""
    shown = [f"span {item.index}: {item.violation}" for item in rejected[:_MAX_SHOWN]]
    if len(rejected) > _MAX_SHOWN:
        shown.append(f"and {len(rejected) - _MAX_SHOWN} more")
    return "; ".join(shown)
