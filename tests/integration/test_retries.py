"""A batch that waits for a retry keeps its payload and its age, and does not wait long after an outage."""

from __future__ import annotations

import time

import pytest

from tests.support.queue_worker import Worker, message
from tests.support.waiting import eventually
from worker.queue import broker as broker_module
from worker.queue import outages, receiver, stream
from worker.queue.broker import LogBroker
from worker.queue.log_queue import queue_stats
from worker.queue.stream import Attempts

HOUR_S = 3600


@pytest.fixture
async def sender(queue_settings):
    broker = LogBroker(queue_settings)
    await broker.stream.join("me", liveness_s=60)
    yield broker
    await broker.shutdown()


@pytest.fixture
def settings(queue_settings, monkeypatch):
    """The same steps as in production, with shorter pauses."""
    monkeypatch.setattr(outages, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(outages, "_MAX_PAUSE_S", 0.01)
    monkeypatch.setattr(broker_module, "_RECLAIM_EVERY_S", 0.01)
    monkeypatch.setattr(stream, "_BLOCK_S", 0.02)
    monkeypatch.setattr(receiver, "_OUTAGE_DELAY_S", 0.01)
    return queue_settings.model_copy(update={"heartbeat_s": 0.01, "liveness_s": 0.5})


async def test_a_batch_keeps_its_age_while_it_waits_for_a_retry(sender):
    queued_ms = int((time.time() - HOUR_S) * 1000)
    await sender.redis.xadd(sender.queue_name, {"data": message(b"old")}, id=f"{queued_ms}-0")
    for failures in range(1, 4):
        entries = await (sender.stream.fetch("me") if failures == 1 else sender.stream.take_due("me"))
        assert [entry.data for entry in entries] == [entries[0].data]
        await sender.stream.delay(entries[0].entry_id, 0, Attempts(failures=failures))
        stats = await queue_stats(sender)
        assert (stats.depth, stats.pending, stats.delayed) == (1, 0, 1)
        assert stats.oldest_age_s is not None
        assert stats.oldest_age_s >= HOUR_S - 1
    assert await sender.stream.attempts_of(entries[0].entry_id) == Attempts(failures=3)
    await sender.stream.settle(entries[0].entry_id)
    assert (await queue_stats(sender)).depth == 0
    assert await sender.stream.attempts_of(entries[0].entry_id) == Attempts()


async def test_a_retry_sends_no_payload_to_redis(sender):
    await sender.append(message(bytes(1_000_000)))
    (entry,) = await sender.stream.fetch("me")

    async def received_bytes() -> int:
        return int((await sender.redis.info("stats"))["total_net_input_bytes"])

    before = await received_bytes()
    for _ in range(10):
        await sender.stream.delay(entry.entry_id, 0, Attempts(outages=1))
        (entry,) = await sender.stream.take_due("me")
    assert await received_bytes() - before < 500_000  # others use this Redis, too


async def test_what_waits_is_tried_although_the_set_of_retries_was_lost(sender):
    await sender.append(message(b"new"))
    (entry,) = await sender.stream.fetch("me")
    await sender.stream.delay(entry.entry_id, HOUR_S, Attempts(outages=1))
    assert await sender.stream.take_due("me") == []
    await sender.redis.delete(sender.stream.retries_key)
    assert await sender.stream.take_due("me") == [entry]


async def test_messages_that_the_last_release_put_aside_are_tried(sender, settings):
    member = b"0198c0de-0000-7000-8000-000000000000" + message(b"put aside")
    await sender.redis.zadd(sender.stream.delayed_key, {member: 1.0})
    assert (await queue_stats(sender)).delayed == 1
    worker = Worker(settings)
    await worker.start()
    await eventually(lambda: worker.stored[b"put aside"])
    await worker.stop()


async def test_in_an_outage_one_batch_at_a_time_is_tried_and_then_all_are_stored(sender, settings):
    payloads = {b"batch %d" % number for number in range(20)}
    for payload in sorted(payloads):
        await sender.append(message(payload))
    worker = Worker(settings)
    worker.is_storing = False
    await worker.start()
    try:
        await eventually(lambda: len(worker.at_once) >= 15)
        assert set(worker.at_once[8:]) == {1}  # the first ones began before it was known
        assert (await queue_stats(sender)).depth == len(payloads)
        await eventually(lambda: _tells(sender, "down"))
        worker.is_storing = True
        await eventually(lambda: worker.stored.keys() == payloads)
        await eventually(lambda: _tells(sender))
    finally:
        await worker.stop()
    assert set(worker.stored.values()) == {1}
    assert not worker.sink.letters


async def _tells(sender, *reasons: str) -> bool:
    """Tell whether these are what workers say they wait for."""
    return (await queue_stats(sender)).waits == reasons
