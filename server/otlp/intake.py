"""Takes the spans and the log records of export requests. What this answers, the queue has."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from llm_observe.v1 import span_pb2

from codec.batch import AcceptedBatch
from codec.otlp.limits import MAX_SPANS
from codec.otlp.log_events import read_events
from codec.otlp.requests import read_request
from codec.otlp.span_records import span_record
from codec.screened import redact_log
from server.rpc.auth import caller
from server.rpc.errors import QueueIsUnavailable, ServerIsBusy
from telemetry import metrics
from worker.queue.log_queue import QueueFull, QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from llm_observe.redaction import Redactor

    from codec.otlp.folding import Key
    from codec.otlp.log_events import LogRecord, ReadEvent
    from codec.otlp.requests import ReadRequest, ReadSpan, RejectedItem
    from codec.otlp.span import Span
    from server.otlp.call_folder import CallFolder, Folded
    from server.rpc.rate_limit import RateLimiter
    from worker.queue.log_queue import LogQueue

Item = TypeVar("Item")
Value = TypeVar("Value")

_MAX_SHOWN: Final = 10
"""Rejected spans that an answer names."""
_READ_AT_ONCE: Final = 200
"""Spans that are read before other calls get their turn: about ten milliseconds."""
_FOLDED_AT_ONCE: Final = 1_000
"""Spans that Redis stores in one step: some milliseconds."""
_ACCEPTED: Final = metrics.OTLP_ITEMS.child("span", "accepted")
_REJECTED: Final = metrics.OTLP_ITEMS.child("span", "rejected")
_RECORDS: Final = metrics.OTLP_ITEMS.child("log", "accepted")
_RECORDS_DROPPED: Final = metrics.OTLP_ITEMS.child("log", "dropped")


class Taken(NamedTuple):
    """What became of a request."""

    rejected_count: int
    message: str
    """What is wrong with the rejected ones, naming fields and never values; empty where none was rejected."""


class OtlpIntake:
    """Takes spans and log records.

    Args:
        folder: Makes logs of the calls among them.
        limiter: Bounds what a peer may send, in spans and records a minute.
        redactor: Redacts and cuts the texts of calls before they go anywhere.
        spans: Takes what is kept of the spans themselves; None keeps nothing.
    """

    def __init__(
        self, folder: CallFolder, limiter: RateLimiter, redactor: Redactor, spans: LogQueue | None
    ) -> None:
        self._folder = folder
        self._limiter = limiter
        self._redact = partial(redact_log, redactor)
        self._spans = spans

    async def take_spans(self, spans: Iterable[Span], peer: str) -> Taken:
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
        await self._limit(len(request.spans), peer)
        for part in _parts(request.spans, _FOLDED_AT_ONCE):
            folded = await self._folder.fold(caller().project_id, part)
            await self._keep(part, folded)
        _ACCEPTED.record(len(request.spans))
        _REJECTED.record(len(request.rejected))
        return Taken(len(request.rejected), _explain(request.rejected))

    async def take_records(self, records: Iterable[LogRecord], peer: str) -> Taken:
        """Take the log records of a request of the current caller's; those that tell of no call are dropped.

        Raises:
            As take_spans().
        """
        events: dict[Key, ReadEvent] = {}
        count = 0
        waiting = iter(records)
        async for part in _pausing(islice(waiting, MAX_SPANS)):
            events |= read_events(part, self._redact)
            count += len(part)
        await self._limit(len(events), peer)
        for known in _parts(events, _FOLDED_AT_ONCE):
            await self._folder.fold(caller().project_id, known)
        rejected = sum(1 for _ in waiting)
        _RECORDS.record(len(events))
        _RECORDS_DROPPED.record(max(0, count + rejected - len(events)))
        return Taken(rejected, f"too many records: at most {MAX_SPANS}" if rejected else "")

    async def _limit(self, count: int, peer: str) -> None:
        if count:
            await self._limiter.take(caller().api_key_id or peer, min(count, self._limiter.limit))

    async def _read(self, spans: Iterable[Span]) -> ReadRequest:
        request = read_request((), 0.0)
        async for part in _pausing(spans):
            read = read_request(part, time.time(), self._redact, first_index=request.item_count)
            request = request.plus(read)
        return request

    async def _keep(self, spans: Mapping[Key, ReadSpan], folded: Folded) -> None:
        if self._spans is None:
            return
        records = [span_record(span, folded.log_ids.get(key, "")) for key, span in spans.items()]
        payload = span_pb2.SpanBatch(spans=records).SerializeToString()
        batch = AcceptedBatch(payload, caller().project_id, folded.receive_time_us, len(records), 0)
        try:
            await self._spans.put(batch)
        except QueueUnavailable:
            raise QueueIsUnavailable from None
        except QueueFull:
            raise ServerIsBusy from None


async def _pausing(items: Iterable[Item]) -> AsyncIterator[list[Item]]:
    """Yield items in parts, between which other calls get their turn."""
    waiting = iter(items)
    while part := list(islice(waiting, _READ_AT_ONCE)):
        yield part
        await asyncio.sleep(0)


def _parts(items: Mapping[Item, Value], size: int) -> Iterable[Mapping[Item, Value]]:
    pairs = list(items.items())
    return (dict(pairs[start : start + size]) for start in range(0, len(pairs), size))


def _explain(rejected: Sequence[RejectedItem]) -> str:
    """Return which spans were rejected and why."""
    shown = [f"span {item.position}: {item.violation}" for item in rejected[:_MAX_SHOWN]]
    if len(rejected) > _MAX_SHOWN:
        shown.append(f"and {len(rejected) - _MAX_SHOWN} more")
    return "; ".join(shown)
