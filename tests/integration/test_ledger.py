"""The delivery ledger: sent = stored + duplicate + rejected + dead-lettered; missing batches are counted."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from uuid import UUID

import grpc
import pytest
from click.testing import CliRunner
from llm_observe.v1 import admin_service_pb2 as pb
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from codec import reader
from codec.batch import AcceptedBatch
from codec.settings import RedactionSettings
from stack.cli.main import cli
from tests.support import poison
from tests.support.logs import make_log
from tests.support.prices import BOOK
from tests.support.rpc import info_of, stub
from tests.support.waiting import eventually
from worker.queue.message import pack
from worker.tasks.dead_letter_quota import DeadLetterQuota
from worker.tasks.write_logs import LogWriter


class Producer:
    """Counts as the SDK does."""

    def __init__(self, ingest) -> None:
        self.ingest = ingest
        self.report = ProducerReport(producer_id=str(uuid.uuid4()), sdk_name="test", sdk_version="1")

    def batch(self, *logs) -> IngestLogsRequest:
        self.report.batch_number += 1
        self.report.sent_count += len(logs)
        return IngestLogsRequest(logs=logs, producer=self.report)

    async def send(self, *logs) -> None:
        await self.ingest.IngestLogs(self.batch(*logs))


@pytest.fixture
def admin(channel):
    return stub(AdminServiceStub, channel)


@pytest.fixture
def producer(channel) -> Producer:
    return Producer(stub(IngestServiceStub, channel))


def accepted(request: IngestLogsRequest) -> AcceptedBatch:
    now_us = int(datetime.now(UTC).timestamp() * 1_000_000)
    return AcceptedBatch(request.SerializeToString(), "default", now_us, len(request.logs), 0)


async def entry_of(admin, producer: Producer) -> pb.LedgerEntry:
    """Return the sum of a producer's entries: it has two if the hour changes during a test."""
    request = pb.QueryLedgerRequest(producer_id=producer.report.producer_id)
    total = pb.LedgerEntry()
    for entry in (await admin.QueryLedger(request)).entries:
        for field in ("sent", "stored", "duplicate", "rejected", "dead_lettered", "missing_batch"):
            name = f"{field}_count"
            setattr(total, name, getattr(total, name) + getattr(entry, name))
        for reason, count in entry.dropped_counts.items():
            total.dropped_counts[reason] += count
        total.sdk = entry.sdk
    return total


async def test_every_log_is_accounted_for(admin, producer, worker):
    first = [make_log() for _ in range(5)]
    await producer.send(*first)
    await producer.send(make_log(), first[0], make_log(provider="WRONG"))
    retried = producer.batch(make_log())
    for _ in range(3):  # the responses are lost, so the same batch is sent again
        await producer.ingest.IngestLogs(retried)
    producer.batch(make_log(), make_log())  # never sent
    producer.report.dropped_counts["queue_full"] = 7
    await producer.send(make_log(provider="WRONG"))
    await producer.send(make_log())

    async def all_there():
        found = await entry_of(admin, producer)
        return found if found.stored_count == 8 else None

    found = await eventually(all_there)
    assert (found.sent_count, found.stored_count, found.duplicate_count) == (13, 8, 1)
    assert (found.rejected_count, found.dead_lettered_count, found.missing_batch_count) == (2, 0, 1)
    assert dict(found.dropped_counts) == {"queue_full": 7}
    assert found.sdk == "test 1"


async def test_dead_letters_are_counted_until_they_are_replayed(admin, producer, database, worker):
    request = producer.batch(*(make_log() for _ in range(4)))
    writer = LogWriter(database, RedactionSettings().make_redactor(), BOOK, DeadLetterQuota(1000))
    batch = accepted(request)
    await writer.dead_letter_message(pack({}, {"batches": [batch]}), "killed_worker", 3)
    found = await entry_of(admin, producer)
    assert (found.stored_count, found.dead_lettered_count, found.missing_batch_count) == (0, 4, 0)
    _ = [update async for update in admin.ReplayDeadLetters(pb.ReplayDeadLettersRequest())]

    async def stored():
        found = await entry_of(admin, producer)
        return found if found.stored_count == 4 else None

    found = await eventually(stored)
    assert (found.sent_count, found.dead_lettered_count, found.duplicate_count) == (4, 0, 0)


async def test_a_batch_with_a_refused_log_adds_up(admin, producer, database, monkeypatch):
    """The database refuses one log of a batch, which becomes a dead letter; the others are stored."""
    logs = [make_log() for _ in range(7)]
    request = producer.batch(*logs)
    writer = LogWriter(database, RedactionSettings().make_redactor(), BOOK, DeadLetterQuota(1000))

    chosen = UUID(logs[3].log_id)
    monkeypatch.setattr(reader, "read_batch", poison.poisoning(lambda log: log.log_id == chosen))
    batch = accepted(request)
    for _ in range(2):  # a redelivery changes nothing
        await writer.write_batches([batch])
    found = await entry_of(admin, producer)
    assert (found.sent_count, found.stored_count, found.dead_lettered_count) == (7, 6, 1)
    assert found.duplicate_count == 0


async def test_invalid_producer_reports_are_refused(producer):
    wrong = {"producer_id": "no uuid", "batch_number": -5, "sent_count": -1, "sdk_name": "x" * 65}
    for field, value in wrong.items():
        request = producer.batch(make_log())
        setattr(request.producer, field, value)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await producer.ingest.IngestLogs(request)
        assert info_of(caught.value)[0] == "INVALID_FIELD"


async def test_the_ledger_is_paged(admin, channel, worker):
    producers = [Producer(stub(IngestServiceStub, channel)) for _ in range(3)]
    for producer in producers:
        await producer.send(make_log())

    async def all_there():
        found = await admin.QueryLedger(pb.QueryLedgerRequest())
        return len(found.entries) == 3

    await eventually(all_there)
    seen, token = [], ""
    for _ in range(3):
        page = await admin.QueryLedger(pb.QueryLedgerRequest(page_size=1, page_token=token))
        seen += [entry.producer_id for entry in page.entries]
        token = page.next_page_token
    assert token == ""
    assert sorted(seen) == sorted(producer.report.producer_id for producer in producers)


async def test_the_command_line_prints_the_ledger(server, producer, worker, admin, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{server.port}")
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["ledger"])
    assert "no producer sent anything" in result.output
    await producer.send(make_log())

    async def stored():
        return (await entry_of(admin, producer)).stored_count == 1

    await eventually(stored)
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["ledger"])
    hour, *rest = result.output.rstrip("\n").split("\t")
    assert datetime.strptime(hour, "%Y-%m-%d %H:00").replace(tzinfo=UTC) <= datetime.now(UTC)
    assert rest == [producer.report.producer_id, "1", "1", "0", "0", "0", "0", "0"]
