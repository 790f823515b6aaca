"""AdminService: the state of the queue, dead letters and their replay, the delivery ledger."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from google.protobuf.json_format import Parse
from llm_observe.limits import MAX_BATCH_LOGS
from llm_observe.v1 import admin_service_pb2 as pb
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.log_pb2 import Log

from analytics.windows import Window
from codec.batch import AcceptedBatch
from server.admin.convert import to_dead_letter, to_ledger_entry, to_queue_health
from server.admin.filters import parse_dead_letter_filter
from server.admin.projects import KeyAdmin
from server.rpc.auth import caller
from server.rpc.checks import parse_limit, parse_uuid
from server.rpc.errors import DeadLetterNotFound, QueueIsUnavailable
from server.rpc.paging import Page, read_cursor
from server.rpc.times import parse_window
from storage import dead_letters
from storage.ledger import query_ledger
from worker.queue.log_queue import QueueFull, QueueUnavailable, queue_memory_bytes, queue_stats

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from llm_observe.redaction import Redactor

    from server.rpc.context import Context
    from storage.dead_letters import ReplayedDeadLetter
    from storage.pool import Database
    from worker.queue.broker import LogBroker
    from worker.queue.log_queue import LogQueue

_PAGE_SIZE: Final = 50
_LEDGER_PAGE_SIZE: Final = 100
_MAX_PAGE_SIZE: Final = 1000


class AdminService(KeyAdmin):
    """See admin_service.proto."""

    def __init__(self, database: Database, broker: LogBroker, queue: LogQueue, redactor: Redactor) -> None:
        super().__init__(database, redactor)
        self._broker = broker
        self._queue = queue

    async def GetQueueStats(
        self, request: pb.GetQueueStatsRequest, context: Context
    ) -> pb.GetQueueStatsResponse:
        try:
            stats, memory_bytes = await asyncio.gather(
                queue_stats(self._broker), queue_memory_bytes(self._broker)
            )
        except QueueUnavailable:
            raise QueueIsUnavailable from None
        return pb.GetQueueStatsResponse(queue=to_queue_health(stats), memory_bytes=memory_bytes)

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        size = parse_limit("page_size", request.page_size, default=_PAGE_SIZE, maximum=_MAX_PAGE_SIZE)
        cursor = read_cursor(request, request.page_token, UUID)
        rows = await dead_letters.list_dead_letters(
            self._database,
            parse_dead_letter_filter(request.filter, caller().project_id),
            before_id=cursor[0] if cursor else None,
            row_limit=size + 1,
        )
        page = Page.of(rows, size, request, lambda row: (row.dead_letter_id,))
        return pb.ListDeadLettersResponse(
            dead_letters=[to_dead_letter(row) for row in page.rows], next_page_token=page.next_page_token
        )

    async def GetDeadLetter(
        self, request: pb.GetDeadLetterRequest, context: Context
    ) -> pb.GetDeadLetterResponse:
        dead_letter_id = parse_uuid("dead_letter_id", request.dead_letter_id)
        row = await dead_letters.get_dead_letter(
            self._database, project_id=caller().project_id, dead_letter_id=dead_letter_id
        )
        if row is None:
            raise DeadLetterNotFound(str(dead_letter_id))
        return pb.GetDeadLetterResponse(dead_letter=to_dead_letter(row))

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, context: Context
    ) -> AsyncIterator[pb.ReplayDeadLettersResponse]:
        selected = parse_dead_letter_filter(request.filter, caller().project_id)
        total = await dead_letters.count_replayable_dead_letters(self._database, selected)
        yield pb.ReplayDeadLettersResponse(replayed_count=0, total_count=total)
        try:
            async for done in dead_letters.replay_dead_letters(self._database, selected, self._enqueue):
                yield pb.ReplayDeadLettersResponse(replayed_count=done, total_count=max(total, done))
        except (QueueUnavailable, QueueFull):
            raise QueueIsUnavailable from None

    async def _enqueue(self, rows: Sequence[ReplayedDeadLetter]) -> None:
        for row in rows:
            request = _to_request(row)
            # With its first receive time, so that a correction that came since stays the newer one.
            receive_time_us = int(row.first_attempt_time.timestamp() * 1_000_000)
            for begin in range(0, len(request.logs), MAX_BATCH_LOGS):
                logs = request.logs[begin : begin + MAX_BATCH_LOGS]
                part = IngestLogsRequest(logs=logs, producer=request.producer)
                # A log of its own is in the ledger already, as part of its batch.
                counts = (len(logs), 0) if request.producer.batch_number else (0, 0)
                payload = part.SerializeToString()
                await self._queue.put(AcceptedBatch(payload, caller().project_id, receive_time_us, *counts))

    async def QueryLedger(self, request: pb.QueryLedgerRequest, context: Context) -> pb.QueryLedgerResponse:
        size = parse_limit("page_size", request.page_size, default=_LEDGER_PAGE_SIZE, maximum=_MAX_PAGE_SIZE)
        if request.producer_id:
            parse_uuid("producer_id", request.producer_id)
        # The first page fixes the window: "the last 24 hours" must not move from page to page.
        cursor = read_cursor(request, request.page_token, datetime, str, datetime, datetime)
        window = Window(*cursor[2:]) if cursor else parse_window(request.time_range)
        rows = await query_ledger(
            self._database,
            project_id=caller().project_id,
            producer_id=request.producer_id or None,
            start_time=window.start,
            end_time=window.end,
            before=cursor[:2] if cursor else None,
            row_limit=size + 1,
        )
        page = Page.of(rows, size, request, lambda row: (row.hour, row.producer_id, *window))
        return pb.QueryLedgerResponse(
            entries=[to_ledger_entry(row) for row in page.rows], next_page_token=page.next_page_token
        )

    async def DiscardDeadLetters(
        self, request: pb.DiscardDeadLettersRequest, context: Context
    ) -> pb.DiscardDeadLettersResponse:
        selected = parse_dead_letter_filter(request.filter, caller().project_id)
        count = await dead_letters.discard_dead_letters(self._database, selected)
        return pb.DiscardDeadLettersResponse(discarded_count=count)


def _to_request(row: ReplayedDeadLetter) -> IngestLogsRequest:
    """Return the logs of a dead letter: a single log, or a whole batch."""
    if row.log_id:
        producer = ProducerReport(producer_id=row.producer_id)  # batch 0 of the ledger
        return IngestLogsRequest(logs=[Parse(row.payload, Log())], producer=producer)
    return Parse(row.payload, IngestLogsRequest())
