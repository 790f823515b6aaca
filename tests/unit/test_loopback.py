"""LoopbackExporter reports correct batch numbers and counts to the ledger, also on a retry."""

from __future__ import annotations

from typing import Any

import pytest
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, IngestLogsResponse, ProducerReport

from server.ingest.loopback import LoopbackExporter
from server.rpc.errors import QueueIsUnavailable
from tests.support.logs import make_log


class Ingest:
    """Accepts the parts of a batch, except those of failing projects."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.accepted: list[tuple[str, int, int, int]] = []

    async def accept(self, batch, project_id, traceparents):
        if project_id in self.failing:
            raise QueueIsUnavailable
        report = batch.producer
        self.accepted.append((project_id, report.batch_number, report.sent_count, batch.log_count))
        return IngestLogsResponse(accepted_log_count=batch.log_count)


def request(number: int, *logs) -> IngestLogsRequest:
    return IngestLogsRequest(logs=logs, producer=ProducerReport(producer_id="p", batch_number=number))


async def test_a_retry_keeps_its_batch_numbers_and_queues_nothing_twice():
    ingest: Any = Ingest()
    exporter = LoopbackExporter(ingest)
    logs = [make_log() for _ in range(5)]
    for log, project in zip(logs, "aabbb", strict=True):
        exporter.register(log.log_id, project)
    ingest.failing = {"b"}
    for _ in range(3):
        with pytest.raises(QueueIsUnavailable):
            await exporter._accept(request(1, *logs))
    ingest.failing = set()
    assert (await exporter._accept(request(1, *logs))).accepted == 5
    assert ingest.accepted == [("a", 1, 2, 2), ("b", 1, 3, 3)]


async def test_batch_numbers_continue_in_the_next_batch():
    ingest: Any = Ingest()
    exporter = LoopbackExporter(ingest)
    for number in (1, 2):
        log = make_log()
        exporter.register(log.log_id, "a")
        await exporter._accept(request(number, log))
    assert ingest.accepted == [("a", 1, 1, 1), ("a", 2, 2, 1)]
