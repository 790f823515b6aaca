"""IngestService: checks each log, queues the good ones as one message, answers when Redis has it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, IngestLogsResponse, RejectedLog
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceServicer

from server.access import caller
from server.errors import BatchEmpty, BatchTooLarge, QueueIsUnavailable, ServerIsBusy
from server.log_rules import find_fault
from server.request_rules import check_producer, peer_of
from worker.queue import AcceptedBatch, QueueFull, QueueUnavailable

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor

    from server.rate_limit import RateLimiter
    from worker.queue import LogQueue

_MAX_LOGS: Final = 500
MAX_BYTES: Final = 4 * 1024 * 1024
_REJECTED_SHOWN: Final = 10
_LOG_ID_SHOWN_CHARS: Final = 64


class IngestService(IngestServiceServicer):
    """See ingest_service.proto."""

    def __init__(self, queue: LogQueue, limiter: RateLimiter, redactor: Redactor) -> None:
        self._queue = queue
        self._limiter = limiter
        self._last_receive_us = 0
        self._redactor = redactor

    async def IngestLogs(self, request: IngestLogsRequest, context: Any) -> IngestLogsResponse:
        self._check_size(request)
        check_producer(request.producer)
        await self._limiter.take(caller().api_key_id or peer_of(context), len(request.logs))
        return await self.accept(request, caller().project_id)

    async def accept(self, request: IngestLogsRequest, project_id: str) -> IngestLogsResponse:
        """Queue the good ones among a project's logs; when this returns, Redis has them.

        Raises:
            QueueIsUnavailable: Redis did not take them in time.
            ServerIsBusy: More waits than this process may hold.
        """
        count = len(request.logs)
        rejected = self._split(request)
        _drop_repeats(request)
        # Of a batch that was rejected whole, the ledger hears, too.
        if request.logs or request.producer.producer_id:
            try:
                await self._queue.put(
                    AcceptedBatch(
                        payload=request.SerializeToString(),
                        project_id=project_id,
                        receive_time_us=self._receive_time_us(),
                        log_count=count,
                        rejected_count=len(rejected),
                    )
                )
            except QueueUnavailable:
                raise QueueIsUnavailable from None
            except QueueFull:
                raise ServerIsBusy from None
        return IngestLogsResponse(
            accepted_log_count=count - len(rejected),
            rejected_log_count=len(rejected),
            rejected_logs=rejected[:_REJECTED_SHOWN],
        )

    @staticmethod
    def _check_size(request: IngestLogsRequest) -> None:
        count, size = len(request.logs), request.ByteSize()
        if not count:
            raise BatchEmpty
        if count > _MAX_LOGS:
            raise BatchTooLarge(limit=_MAX_LOGS, actual=count, unit="logs")
        if size > MAX_BYTES:
            raise BatchTooLarge(limit=MAX_BYTES, actual=size, unit="bytes")

    def _split(self, request: IngestLogsRequest) -> list[RejectedLog]:
        """Take the logs that break a rule out of the request, and tell why."""
        now_s = time.time()
        rejected = []
        for index, log in enumerate(request.logs):
            fault = find_fault(log, now_s)
            if fault is not None:
                shown = self._redactor.preview(log.log_id, _LOG_ID_SHOWN_CHARS)
                rejected.append(RejectedLog(index=index, log_id=shown, reason="INVALID_LOG", message=fault))
        for refusal in reversed(rejected):
            del request.logs[refusal.index]
        return rejected

    def _receive_time_us(self) -> int:
        """Return now in microseconds since 1970; never the same twice, for it orders corrections."""
        self._last_receive_us = max(time.time_ns() // 1000, self._last_receive_us + 1)
        return self._last_receive_us


def _drop_repeats(request: IngestLogsRequest) -> None:
    """Of logs with the same id keep the last: their one receive_time could not order them later."""
    ids = [log.log_id.lower() for log in request.logs]
    if len(set(ids)) == len(ids):
        return
    last = {log_id: index for index, log_id in enumerate(ids)}
    for index in reversed(range(len(ids))):
        if last[ids[index]] != index:
            del request.logs[index]
