"""IngestService: checks each log or span, queues the valid ones as one message, answers when Redis has it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from llm_observe.limits import MAX_BATCH_BYTES, MAX_BATCH_LOGS
from llm_observe.v1.ingest_service_pb2 import (
    IngestLogsResponse,
    IngestSpansRequest,
    IngestSpansResponse,
    RejectedLog,
    RejectedSpan,
)
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceServicer
from llm_observe.v1.span_pb2 import SpanBatch

from codec.batch import AcceptedBatch
from codec.rules import find_violation
from codec.span_rules import find_span_violation
from server.ingest.producer import check_producer
from server.ingest.request import decode_batch
from server.rpc.auth import caller
from server.rpc.context import peer_address
from server.rpc.errors import BatchEmpty, BatchTooLarge, QueueIsUnavailable, RateLimited, ServerIsBusy
from telemetry import metrics, tracing
from worker.queue.log_queue import QueueFull, QueueUnavailable

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor
    from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

    from server.ingest.request import DecodedBatch
    from server.rpc.context import Context
    from server.rpc.rate_limit import RateLimiter
    from server.rpc.receive_clock import ReceiveClock
    from worker.queue.log_queue import LogQueue

_MAX_REJECTED_SHOWN: Final = 10
_MAX_LOG_ID_CHARS: Final = 64
_UNDECODABLE: Final = "cannot be decoded: texts must be UTF-8"
_ACCEPTED: Final = metrics.INGEST_LOGS.child("accepted")
_REJECTED: Final = metrics.INGEST_LOGS.child("rejected")
_LIMITED: Final = metrics.INGEST_LOGS.child("limited")
_REFUSED: Final = metrics.INGEST_LOGS.child("refused")
_BATCH_LOGS: Final = metrics.INGEST_BATCH_LOGS.child()
_SPANS_ACCEPTED: Final = metrics.INGEST_SPANS.child("accepted")
_SPANS_REJECTED: Final = metrics.INGEST_SPANS.child("rejected")


class IngestService(IngestServiceServicer):
    """See ingest_service.proto. Requests of IngestLogs are decoded by decode_batch()."""

    def __init__(
        self,
        queue: LogQueue,
        span_queue: LogQueue,
        limiter: RateLimiter,
        redactor: Redactor,
        clock: ReceiveClock,
    ) -> None:
        self._queue = queue
        self._span_queue = span_queue
        self._limiter = limiter
        self._redactor = redactor
        self._clock = clock

    async def IngestLogs(  # type: ignore[override] # RpcPipeline decodes its requests with decode_batch()
        self, batch: DecodedBatch, context: Context
    ) -> IngestLogsResponse:
        _check_size(batch.log_count, len(batch.payload), "logs")
        check_producer(batch.producer)
        try:
            await self._limit(batch.log_count, context)
        except RateLimited:
            _LIMITED.record(batch.log_count)
            raise
        return await self.accept(batch, caller().project_id, tracing.current_traceparent())

    async def IngestSpans(self, request: IngestSpansRequest, context: Context) -> IngestSpansResponse:
        _check_size(len(request.spans), request.ByteSize(), "spans")
        await self._limit(len(request.spans), context)
        now_s, valid, rejected = time.time(), [], []
        for index, span in enumerate(request.spans):
            violation = find_span_violation(span, now_s)
            if violation is None:
                valid.append(span)
            else:
                rejected.append(RejectedSpan(index=index, message=violation))
        if valid:
            payload = SpanBatch(spans=valid).SerializeToString()
            await self._put(
                self._span_queue,
                AcceptedBatch(payload, caller().project_id, self._clock.now_us(), len(valid), 0),
            )
        _SPANS_ACCEPTED.record(len(valid))
        _SPANS_REJECTED.record(len(rejected))
        return IngestSpansResponse(
            accepted_span_count=len(valid),
            rejected_span_count=len(rejected),
            rejected_spans=rejected[:_MAX_REJECTED_SHOWN],
        )

    async def _limit(self, count: int, context: Context) -> None:
        await self._limiter.take(caller().api_key_id or peer_address(context), count)

    async def accept_payload(
        self, payload: bytes, project_id: str, traceparents: str, receive_time_us: int
    ) -> IngestLogsResponse:
        """Queue the valid logs of a serialized IngestLogsRequest; see accept()."""
        return await self.accept(decode_batch(payload), project_id, traceparents, receive_time_us)

    async def accept(
        self, batch: DecodedBatch, project_id: str, traceparents: str = "", receive_time_us: int = 0
    ) -> IngestLogsResponse:
        """Queue the valid logs of a project's batch; when this returns, Redis has them.

        Args:
            batch: What came.
            project_id: Whose it is.
            traceparents: The spans it comes from, as in AcceptedBatch.
            receive_time_us: What orders its content among others for the same logs; now where it is 0.

        Raises:
            QueueIsUnavailable: Redis did not take them in time.
            ServerIsBusy: Too much waits in this process already.
        """
        payload, rejected = batch.payload, list[RejectedLog]()
        if batch.request is not None:
            payload, rejected = self._drop_invalid(batch.request, batch.undecodable)
        # The ledger counts batches that were rejected whole, too.
        if len(rejected) < batch.log_count or batch.producer.producer_id:
            await self._enqueue(
                AcceptedBatch(
                    payload,
                    project_id,
                    receive_time_us or self._clock.now_us(),
                    batch.log_count,
                    len(rejected),
                    traceparents,
                )
            )
        _BATCH_LOGS.record(batch.log_count)
        _ACCEPTED.record(batch.log_count - len(rejected))
        if rejected:
            _REJECTED.record(len(rejected))
        return IngestLogsResponse(
            accepted_log_count=batch.log_count - len(rejected),
            rejected_log_count=len(rejected),
            rejected_logs=rejected[:_MAX_REJECTED_SHOWN],
        )

    async def _enqueue(self, batch: AcceptedBatch) -> None:
        try:
            await self._put(self._queue, batch)
        except (QueueIsUnavailable, ServerIsBusy):
            _REFUSED.record(batch.log_count)
            raise

    @staticmethod
    async def _put(queue: LogQueue, batch: AcceptedBatch) -> None:
        try:
            await queue.put(batch)
        except QueueUnavailable:
            raise QueueIsUnavailable from None
        except QueueFull:
            raise ServerIsBusy from None

    def _drop_invalid(
        self, request: IngestLogsRequest, undecodable: frozenset[int]
    ) -> tuple[bytes, list[RejectedLog]]:
        """Remove the logs that break a rule; return the payload of the rest, and why each was rejected."""
        now_s = time.time()
        rejected = []
        for index, log in enumerate(request.logs):
            violation = _UNDECODABLE if index in undecodable else find_violation(log, now_s)
            if violation is not None:
                log_id = self._redactor.preview(log.log_id, _MAX_LOG_ID_CHARS)
                rejected.append(
                    RejectedLog(index=index, log_id=log_id, reason="INVALID_LOG", message=violation)
                )
        for rejection in reversed(rejected):
            del request.logs[rejection.index]
        _drop_repeated(request)
        return request.SerializeToString(), rejected


def _check_size(count: int, size: int, unit: str) -> None:
    if not count:
        raise BatchEmpty
    if count > MAX_BATCH_LOGS:
        raise BatchTooLarge(limit=MAX_BATCH_LOGS, actual=count, unit=unit)
    if size > MAX_BATCH_BYTES:
        raise BatchTooLarge(limit=MAX_BATCH_BYTES, actual=size, unit="bytes")


def _drop_repeated(request: IngestLogsRequest) -> None:
    """Keep the last of several logs with one id: their common receive_time could not order them later."""
    ids = [log.log_id.lower() for log in request.logs]
    if len(set(ids)) == len(ids):
        return
    last = {log_id: index for index, log_id in enumerate(ids)}
    for index in reversed(range(len(ids))):
        if last[ids[index]] != index:
            del request.logs[index]
