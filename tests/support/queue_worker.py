"""A worker in this process that stores nothing: the real broker and receiver, and a task that takes notes."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from taskiq.acks import AcknowledgeType

from storage.errors import StorageUnavailable
from tests.support.waiting import WAIT_S
from worker.queue.broker import WorkerBroker
from worker.queue.log_queue import WRITE_LOGS
from worker.queue.message import BATCHES, QueuedBatch, pack
from worker.queue.receiver import LogReceiver, RetryMiddleware


class Sink:
    """Keeps dead letters; fails at first."""

    def __init__(self) -> None:
        self.letters: Counter[tuple[str, int]] = Counter()
        self.failures = 1

    async def dead_letter_message(self, data: bytes, reason: str, attempts: int) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("down")
        self.letters[reason, attempts] += 1


class Worker:
    """The real broker and receiver, with a task that records the payloads it was given."""

    def __init__(self, settings: Any) -> None:
        self.sink = Sink()
        self.stored: Counter[bytes] = Counter()
        self.failures = 1
        """How often the payload ``fails`` is refused."""
        self.is_storing = True
        self.at_once: list[int] = []
        """Whenever a task begins, how many are in flight with it."""
        self.broker = WorkerBroker(settings, self.sink)
        self.broker.register_task(self._make_task(), task_name=WRITE_LOGS)
        self.broker.add_middlewares(RetryMiddleware(self.broker, settings.max_attempts))
        self._listening: asyncio.Task[None] | None = None

    def _make_task(self) -> Callable[..., Any]:
        async def write(batches: list[QueuedBatch]) -> None:
            payloads = {batch[0] for batch in batches}
            self.at_once.append(len(self.broker._in_flight))
            if not self.is_storing:
                raise StorageUnavailable("down")
            if b"fails" in payloads and self.failures:
                self.failures -= 1
                raise StorageUnavailable("down")
            self.stored.update(payloads)

        return write

    async def start(self) -> None:
        await self.broker.startup()
        listener = LogReceiver(
            broker=self.broker,
            max_async_tasks=4,
            run_startup=False,
            ack_type=AcknowledgeType.WHEN_EXECUTED,
            wait_tasks_timeout=5,
        )
        self._listening = asyncio.create_task(listener.listen(self.broker.stopping))

    async def stop(self) -> None:
        self.broker.stopping.set()
        assert self._listening is not None
        await asyncio.wait_for(self._listening, WAIT_S)
        await asyncio.wait_for(self.broker.shutdown(), WAIT_S)


def message(*payloads: bytes) -> bytes:
    head = {"task_id": uuid.uuid4().hex, "task_name": WRITE_LOGS, "labels": {}, "args": []}
    return pack(head, {BATCHES: [(payload, "default", 1, 1, 0) for payload in payloads]})
