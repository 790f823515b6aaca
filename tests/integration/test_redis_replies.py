"""Each Redis command of a worker fails with every Redis error; the worker continues and loses nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError  # noqa: A004 - redis' own

from tests.support.queue_worker import Worker, message
from tests.support.waiting import eventually
from worker.queue import broker as broker_module
from worker.queue import outages, receiver, scripts, stream
from worker.queue.broker import LogBroker
from worker.queue.stream import GROUP, HANDED_BACK, WAITING, LogStream

REPLIES = (
    "NOREPLICAS Not enough good replicas to write.",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "LOADING Valkey is loading the dataset in memory",
    "BUSY Valkey is busy running a script.",
    "CLUSTERDOWN The cluster is down",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOPERM this user has no permissions to run the command",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOSCRIPT No matching script.",
    "EXECABORT Transaction discarded because of previous errors.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "NOGROUP No such key or consumer group",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "ERR max number of clients reached",
    "ERR unknown command",
)
COMMANDS = ("XREADGROUP", "XINFO CONSUMERS", "XPENDING", "XCLAIM", "HGET")
NOT_OF_A_WORKER = {"LEAVE", "OLDEST"}
SCRIPTS = {
    name: hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - as Redis names scripts
    for name, text in vars(scripts).items()
    if name.isupper()
}

DEAD_WORKER = "zz-dead-worker"
"""Sorts last, as Redis lists consumers by name: a worker then meets every error before it is idle."""
NETWORK_ERRORS = (ConnectionError("Connection closed by server."), TimeoutError(), ConnectionResetError())


def errors() -> list[Exception]:
    return [*(BaseParser.parse_error(reply) for reply in REPLIES), *NETWORK_ERRORS]


class FailingOperation:
    """Makes one operation of a worker fail with every error, with some after Redis has executed it."""

    def __init__(self, queue: LogStream, operation: str) -> None:
        self.left = [(error, False) for error in errors()]
        # If the reply of TAKE_OVER is lost, its messages are delivered again, but no longer as suspects.
        if operation != "TAKE_OVER":
            self.left += [(error, True) for error in NETWORK_ERRORS]
        self._name = SCRIPTS.get(operation, operation)
        for redis in (queue.redis, queue._reader):
            setattr(redis, "execute_command", partial(self._execute, redis.execute_command))  # noqa: B010 - a method

    async def _execute(self, execute: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if args[0] != self._name and not (args[0] == "EVALSHA" and args[1] == self._name):
            return await execute(*args, **options)
        error, executed = self.left.pop(0) if self.left else (None, True)
        answer = await execute(*args, **options) if executed else None
        if error is not None:
            raise error
        return answer


async def queue_everything(queue: LogStream) -> None:
    """Queue messages that make a worker use each of its commands."""
    await queue.join(DEAD_WORKER, liveness_s=0.001)
    for number in range(3):
        await queue.append(message(b"held by a dead worker %d" % number))
    await queue.append(message(b"isolated once, left", b"isolated once, right"))
    await queue.append(message(b"isolated twice"))
    await queue.append(b"handed back, unreadable")
    entries = await queue.fetch(DEAD_WORKER)
    await queue.note_runs(entries[3].entry_id, 1)
    await queue.note_runs(entries[4].entry_id, 2)
    await queue.claim(HANDED_BACK, [entries[5].entry_id])
    for number in range(5):
        await queue.append(message(b"new %d" % number))
    await queue.append(message(b"fails"))


EXPECTED = {
    *(b"held by a dead worker %d" % number for number in range(3)),
    *(b"isolated once, left", b"isolated once, right"),
    *(b"new %d" % number for number in range(5)),
    b"fails",
}
LETTERS = {("killed_worker", 3), ("unparsable", 1)}


@pytest.fixture
def settings(queue_settings, monkeypatch):
    """The same steps as in production, with shorter pauses."""
    monkeypatch.setattr(outages, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(outages, "_MAX_PAUSE_S", 0.001)
    monkeypatch.setattr(broker_module, "_RECLAIM_EVERY_S", 0.01)
    monkeypatch.setattr(broker_module, "_SETTLE_PAUSES_S", (0.001, 0.001))
    monkeypatch.setattr(stream, "_BLOCK_S", 0.02)
    monkeypatch.setattr(receiver, "_OUTAGE_DELAY_S", 0.01)
    return queue_settings.model_copy(update={"heartbeat_s": 0.01, "liveness_s": 0.03})


@pytest.fixture
async def sender(settings):
    broker = LogBroker(settings)
    yield broker
    await broker.shutdown()


@pytest.mark.parametrize("operation", [*COMMANDS, *(name for name in SCRIPTS if name not in NOT_OF_A_WORKER)])
async def test_a_worker_survives_every_error_and_processes_everything(settings, sender, operation):
    await queue_everything(sender.stream)
    worker = Worker(settings)
    failing = FailingOperation(worker.broker.stream, operation)
    if operation == "DELAY":
        worker.failures = len(failing.left)
    await worker.start()

    async def drained() -> bool:
        pending = (await sender.redis.xpending(sender.queue_name, GROUP))["pending"]
        waiting = await sender.redis.xlen(sender.queue_name)
        delayed = await sender.redis.zcard(sender.stream.retries_key)
        return not failing.left and (pending, waiting, delayed) == (0, 0, 0)

    try:
        await eventually(drained)
    finally:
        await worker.stop()
    assert worker.stored.keys() == EXPECTED
    assert worker.sink.letters.keys() == LETTERS
    for key in (sender.stream.runs_key, sender.stream.attempts_key):
        assert await sender.redis.hlen(key) == 0
    consumers = await sender.redis.xinfo_consumers(sender.queue_name, GROUP)
    assert {consumer["name"] for consumer in consumers} <= {WAITING.encode()}  # not a worker's


async def test_a_worker_stops_when_it_cannot_leave_the_group(settings, sender):
    await sender.append(message(b"new"))
    worker = Worker(settings)
    failing = FailingOperation(worker.broker.stream, "LEAVE")
    await worker.start()
    await eventually(lambda: worker.stored)
    await worker.stop()
    assert len(failing.left) == len(errors()) + len(NETWORK_ERRORS) - 1


async def test_a_worker_stops_when_a_cancellation_is_swallowed(settings, monkeypatch):
    worker = Worker(settings)
    fetching, fetch = asyncio.Event(), worker.broker.stream.fetch

    async def swallow(consumer: str) -> list[Any]:
        try:
            fetching.set()
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return await fetch(consumer)
        raise AssertionError

    monkeypatch.setattr(worker.broker.stream, "fetch", swallow)
    await worker.start()
    await fetching.wait()
    await worker.stop()


async def test_a_task_that_redis_refuses_is_retried_until_it_is_queued(settings, sender, monkeypatch):
    refusals, append = errors(), sender.stream.append

    async def refuse(data: bytes) -> None:
        if refusals:
            raise refusals.pop(0)
        await append(data)

    monkeypatch.setattr(sender.stream, "append", refuse)
    await sender.kick(sender.formatter.dumps(sender.formatter.loads(message(b"scheduled"))))
    assert await sender.redis.xlen(sender.queue_name) == 1


async def test_a_deleted_queue_is_recreated(settings, sender):
    worker = Worker(settings)
    await worker.start()
    try:
        await sender.append(message(b"before"))
        await eventually(lambda: worker.stored[b"before"])
        await sender.redis.delete(sender.queue_name)
        await sender.append(message(b"after"))
        await eventually(lambda: worker.stored[b"after"])
    finally:
        await worker.stop()


async def test_a_message_stays_a_suspect_while_it_cannot_be_dead_lettered(settings, sender):
    await sender.stream.join(DEAD_WORKER, liveness_s=0.001)
    await sender.append(message(b"isolated twice"))
    (entry,) = await sender.stream.fetch(DEAD_WORKER)
    await sender.stream.note_runs(entry.entry_id, 2)
    worker = Worker(settings)
    worker.sink.failures = 5
    await worker.start()
    try:
        await eventually(lambda: worker.sink.letters)
    finally:
        await worker.stop()
    assert worker.sink.letters == {("killed_worker", 3): 1}
    assert not worker.stored
