"""AdminService: the queue, dead letters, and what operators do about them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from google.protobuf.json_format import Parse
from llm_observe.v1 import admin_service_pb2 as pb
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.log_pb2 import Log

from codec.batch import AcceptedBatch
from server.admin.convert import to_dead_letter, to_ledger_entry, to_queue_health
from server.admin.filters import dead_letter_filter
from server.admin.projects import KeyAdmin
from server.rpc.auth import caller
from server.rpc.checks import parse_limit, parse_uuid
from server.rpc.errors import DeadLetterNotFound, QueueIsUnavailable
from server.rpc.paging import Cursor, make_token, read_token
from server.rpc.times import Window, parse_window
from storage import dead_letters
from storage.ledger import query_ledger
from worker.queue.log_queue import QueueFull, QueueUnavailable, queue_memory_bytes, queue_stats

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import asyncpg
    from llm_observe.redaction import Redactor

    from storage.pool import Database
    from worker.queue.broker import LogBroker
    from worker.queue.log_queue import LogQueue

_PAGE: Final = 50
_LEDGER_PAGE: Final = 100
_MAX_PAGE: Final = 1000
_BATCH_LOGS: Final = 500


class AdminService(KeyAdmin):
    """See admin_service.proto."""

    def __init__(self, database: Database, broker: LogBroker, queue: LogQueue, redactor: Redactor) -> None:
        super().__init__(database, redactor)
        self._broker = broker
        self._queue = queue

    async def GetQueueStats(self, request: pb.GetQueueStatsRequest, context: Any) -> pb.GetQueueStatsResponse:
        try:
            stats, memory_bytes = await asyncio.gather(
                queue_stats(self._broker), queue_memory_bytes(self._broker)
            )
        except QueueUnavailable:
            raise QueueIsUnavailable from None
        return pb.GetQueueStatsResponse(queue=to_queue_health(stats), memory_bytes=memory_bytes)

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: Any
    ) -> pb.ListDeadLettersResponse:
        which = dead_letter_filter(request.filter, caller().project_id)
        size = parse_limit("page_size", request.page_size, default=_PAGE, most=_MAX_PAGE)
        cursor = read_token(request, request.page_token) if request.page_token else None
        rows = await dead_letters.list_dead_letters(
            self._database, which, before_id=cursor.log_id if cursor else None, row_limit=size + 1
        )
        token = make_token(request, _after(rows[size - 1])) if len(rows) > size else ""
        letters = [to_dead_letter(row) for row in rows[:size]]
        return pb.ListDeadLettersResponse(dead_letters=letters, next_page_token=token)

    async def GetDeadLetter(self, request: pb.GetDeadLetterRequest, context: Any) -> pb.GetDeadLetterResponse:
        dead_letter_id = parse_uuid("dead_letter_id", request.dead_letter_id)
        row = await dead_letters.get_dead_letter(
            self._database, project_id=caller().project_id, dead_letter_id=dead_letter_id
        )
        if row is None:
            raise DeadLetterNotFound(str(dead_letter_id))
        return pb.GetDeadLetterResponse(dead_letter=to_dead_letter(row))

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, context: Any
    ) -> AsyncIterator[pb.ReplayDeadLettersResponse]:
        which = dead_letter_filter(request.filter, caller().project_id)
        total = await dead_letters.count_replayable_dead_letters(self._database, which)
        yield pb.ReplayDeadLettersResponse(replayed_count=0, total_count=total)
        try:
            async for done in dead_letters.replay_dead_letters(self._database, which, self._queue_again):
                yield pb.ReplayDeadLettersResponse(replayed_count=done, total_count=max(total, done))
        except (QueueUnavailable, QueueFull):
            raise QueueIsUnavailable from None

    async def _queue_again(self, rows: Sequence[asyncpg.Record]) -> None:
        for row in rows:
            request = _to_request(row)
            # As old as it was: a correction that came since stays the newer one.
            receive_time_us = int(row["first_attempt_time"].timestamp() * 1_000_000)
            for begin in range(0, len(request.logs), _BATCH_LOGS):
                logs = request.logs[begin : begin + _BATCH_LOGS]
                part = IngestLogsRequest(logs=logs, producer=request.producer)
                # Its batch is in the ledger already: with its count, or as part of a larger one.
                counts = (len(logs), 0) if request.producer.batch_number else (0, 0)
                payload = part.SerializeToString()
                await self._queue.put(AcceptedBatch(payload, caller().project_id, receive_time_us, *counts))

    async def QueryLedger(self, request: pb.QueryLedgerRequest, context: Any) -> pb.QueryLedgerResponse:
        size = parse_limit("page_size", request.page_size, default=_LEDGER_PAGE, most=_MAX_PAGE)
        if request.producer_id:
            parse_uuid("producer_id", request.producer_id)
        cursor = read_token(request, request.page_token) if request.page_token else None
        window = (
            Window(cursor.window_start, cursor.window_end) if cursor else parse_window(request.time_range)
        )
        rows = await query_ledger(
            self._database,
            project_id=caller().project_id,
            producer_id=request.producer_id or None,
            start_time=window.start,
            end_time=window.end,
            before=(cursor.start_time, str(cursor.log_id)) if cursor else None,
            row_limit=size + 1,
        )
        token = ""
        if len(rows) > size:
            last = rows[size - 1]
            cursor = Cursor(last["hour"], UUID(last["producer_id"]), window.start, window.end)
            token = make_token(request, cursor)
        return pb.QueryLedgerResponse(
            entries=[to_ledger_entry(row) for row in rows[:size]], next_page_token=token
        )

    async def DiscardDeadLetters(
        self, request: pb.DiscardDeadLettersRequest, context: Any
    ) -> pb.DiscardDeadLettersResponse:
        which = dead_letter_filter(request.filter, caller().project_id)
        count = await dead_letters.discard_dead_letters(self._database, which)
        return pb.DiscardDeadLettersResponse(discarded_count=count)


def _after(row: asyncpg.Record) -> Cursor:
    now = datetime.now(UTC)
    return Cursor(row["last_attempt_time"], UUID(int=row["dead_letter_id"].int), now, now)


def _to_request(row: asyncpg.Record) -> IngestLogsRequest:
    """Return the logs of a dead letter: a single log, or a whole batch."""
    if row["log_id"]:
        producer = ProducerReport(producer_id=row["producer_id"])  # batch 0 of the ledger
        return IngestLogsRequest(logs=[Parse(row["payload"], Log())], producer=producer)
    return Parse(row["payload"], IngestLogsRequest())
