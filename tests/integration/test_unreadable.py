"""Queued data that no table can hold is dead-lettered at once, and all other logs are stored."""

from __future__ import annotations

import json
import uuid

import pytest
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport

from codec.batch import AcceptedBatch
from codec.settings import RedactionSettings
from storage.dead_letters import DeadLetterFilter, get_dead_letter, list_dead_letters
from storage.logs import count_logs
from tests.support.logs import make_log
from tests.support.prices import BOOK
from worker.queue.message import pack
from worker.tasks.dead_letter_quota import DeadLetterQuota
from worker.tasks.write_logs import LogWriter

NOW_US = 1_795_600_000_000_000
PRODUCER = str(uuid.uuid4())


@pytest.fixture
def writer(database) -> LogWriter:
    return LogWriter(database, RedactionSettings().make_redactor(), BOOK, DeadLetterQuota(1000))


def batch_of(*logs, **head) -> AcceptedBatch:
    report = ProducerReport(producer_id=PRODUCER, batch_number=1, sent_count=len(logs))
    payload = IngestLogsRequest(logs=logs, producer=report).SerializeToString()
    return AcceptedBatch(payload, "default", NOW_US, len(logs), 0)._replace(**head)


def bad_time():
    log = make_log()
    log.start_time.seconds = 2**50
    return log


async def dead_letters(database):
    selected = DeadLetterFilter(project_id="default", states=["waiting"])
    listed = await list_dead_letters(database, selected, before_id=None, row_limit=100)
    return [
        await get_dead_letter(database, project_id="default", dead_letter_id=each.dead_letter_id)
        for each in listed
    ]


@pytest.mark.parametrize("bad", [
    batch_of(payload=b"\xff garbage with ann@" + b"example.org"),
    batch_of(make_log(), project_id="no\0project"),
    batch_of(make_log(), receive_time_us=10**30),
    batch_of(make_log(), log_count=None),
])  # fmt: skip
async def test_an_unreadable_batch_is_dead_lettered_and_its_neighbours_are_stored(database, writer, bad):
    for _ in range(2):  # a redelivery changes nothing
        await writer.write_batches([batch_of(make_log()), bad, batch_of(make_log())])
    (letter,) = await dead_letters(database)
    assert (letter.reason, letter.attempt_count) == ("unparsable", 1)
    assert "ann@" not in letter.payload
    assert await count_logs(database, project_id="default") == 4


@pytest.mark.parametrize("bad", [
    make_log(log_id="no id"), make_log(log_id="\0" * 36), bad_time(), make_log(outcome=-1),
    make_log(usageSource=9),
])  # fmt: skip
async def test_a_log_that_no_row_can_hold_is_dead_lettered_alone(database, writer, bad):
    batch = batch_of(make_log(), bad, make_log())
    for _ in range(2):
        await writer.write_batches([batch])
    (letter,) = await dead_letters(database)
    assert (letter.reason, letter.log_count, letter.producer_id) == ("invalid_content", 1, PRODUCER)
    assert json.loads(letter.payload)
    assert await count_logs(database, project_id="default") == 2


async def test_a_log_refused_by_postgres_is_dead_lettered_alone(database, writer):
    await writer.write_batches([batch_of(make_log(), make_log(traceId="a\0b"), make_log())])
    (letter,) = await dead_letters(database)
    assert (letter.reason, json.loads(letter.payload)["trace_id"]) == ("refused", "a\ufffdb")
    assert await count_logs(database, project_id="default") == 2


async def test_each_dead_lettered_batch_is_described_as_far_as_it_is_readable(database, writer):
    message = pack({}, {"batches": [batch_of(make_log(), bad_time()), batch_of(payload=b"\xff")]})
    await writer.dead_letter_message(message, "killed_worker", 3)
    letters = await dead_letters(database)
    assert sorted((letter.reason, letter.log_count) for letter in letters) == [
        ("killed_worker", 0),
        ("killed_worker", 2),
    ]
    assert all("unparsable" in json.loads(letter.payload) for letter in letters)
