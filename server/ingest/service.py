"""IngestService: checks each log, queues the good ones as one message, answers when Redis has it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from llm_observe.v1.ingest_service_pb2 import IngestLogsResponse, RejectedLog
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceServicer

from codec.batch import AcceptedBatch
from codec.rules import find_violation
from server.ingest.producer import check_producer, peer_of
from server.rpc.auth import caller
from server.rpc.errors import BatchEmpty, BatchTooLarge, QueueIsUnavailable, ServerIsBusy
from worker.queue.log_queue import QueueFull, QueueUnavailable

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor
    from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

    from server.ingest.request import DecodedBatch
    from server.rpc.rate_limit import RateLimiter
    from worker.queue.log_queue import LogQueue

_MAX_LOGS: Final = 500
MAX_BYTES: Final = 4 * 1024 * 1024
_REJECTED_SHOWN: Final = 10
_LOG_ID_SHOWN_CHARS: Final = 64


class IngestService(IngestServiceServicer):
    """See ingest_service.proto. Its requests are read by decode_batch()."""

    def __init__(self, queue: LogQueue, limiter: RateLimiter, redactor: Redactor) -> None:
        self._queue = queue
        self._limiter = limiter
        self._last_receive_us = 0
        self._redactor = redactor

    async def IngestLogs(  # type: ignore[override] # the door reads its requests with decode_batch()
        self, intake: DecodedBatch, context: Any
    ) -> IngestLogsResponse:
        _check_size(intake)
        check_producer(intake.producer)
        await self._limiter.take(caller().api_key_id or peer_of(context), intake.log_count)
        return await self.accept(intake, caller().project_id)

    async def accept(self, intake: DecodedBatch, project_id: str) -> IngestLogsResponse:
        """Queue the good ones among a project's logs; when this returns, Redis has them.

        Raises:
            QueueIsUnavailable: Redis did not take them in time.
            ServerIsBusy: More waits than this process may hold.
        """
        payload, rejected = (intake.payload, []) if intake.request is None else self._sort_out(intake.request)
        # Of a batch that was rejected whole, the ledger hears, too.
        if len(rejected) < intake.log_count or intake.producer.producer_id:
            batch = AcceptedBatch(
                payload, project_id, self._receive_time_us(), intake.log_count, len(rejected)
            )
            try:
                await self._queue.put(batch)
            except QueueUnavailable:
                raise QueueIsUnavailable from None
            except QueueFull:
                raise ServerIsBusy from None
        return IngestLogsResponse(
            accepted_log_count=intake.log_count - len(rejected),
            rejected_log_count=len(rejected),
            rejected_logs=rejected[:_REJECTED_SHOWN],
        )

    def _sort_out(self, request: IngestLogsRequest) -> tuple[bytes, list[RejectedLog]]:
        """Take out of a request the logs that break a rule, and tell why."""
        now_s = time.time()
        rejected = []
        for index, log in enumerate(request.logs):
            fault = find_violation(log, now_s)
            if fault is not None:
                shown = self._redactor.preview(log.log_id, _LOG_ID_SHOWN_CHARS)
                rejected.append(RejectedLog(index=index, log_id=shown, reason="INVALID_LOG", message=fault))
        for refusal in reversed(rejected):
            del request.logs[refusal.index]
        _drop_repeats(request)
        return request.SerializeToString(), rejected

    def _receive_time_us(self) -> int:
        """Return now in microseconds since 1970; never the same twice, for it orders corrections."""
        self._last_receive_us = max(time.time_ns() // 1000, self._last_receive_us + 1)
        return self._last_receive_us


def _check_size(intake: DecodedBatch) -> None:
    if not intake.log_count:
        raise BatchEmpty
    if intake.log_count > _MAX_LOGS:
        raise BatchTooLarge(limit=_MAX_LOGS, actual=intake.log_count, unit="logs")
    if len(intake.payload) > MAX_BYTES:
        raise BatchTooLarge(limit=MAX_BYTES, actual=len(intake.payload), unit="bytes")


def _drop_repeats(request: IngestLogsRequest) -> None:
    """Of logs with the same id keep the last: their one receive_time could not order them later."""
    ids = [log.log_id.lower() for log in request.logs]
    if len(set(ids)) == len(ids):
        return
    last = {log_id: index for index, log_id in enumerate(ids)}
    for index in reversed(range(len(ids))):
        if last[ids[index]] != index:
            del request.logs[index]
