"""What goes wrong with the queue is logged once, by its code or class and never with content."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from codec.batch import AcceptedBatch
from worker.queue.liveness import Liveness
from worker.queue.log_queue import LogQueue, QueueUnavailable

BATCH = AcceptedBatch(b"SECRET", "default", 1, 1, 0)


class Broker:
    """Raises what it is given, one error a write, and takes the rest."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def append(self, _data: bytes, _timeout_s: float) -> None:
        if self.errors:
            raise self.errors.pop(0)


async def test_failed_writes_are_logged_once_a_reason_and_their_end_too():
    errors = [TimeoutError(), TimeoutError(), ResponseError("OOM SECRET"), ValueError("SECRET")]
    broker: Any = Broker(*errors)
    queue = LogQueue(broker)
    with capture_logs() as lines:
        for _ in errors:
            with pytest.raises(QueueUnavailable):
                await queue.put(BATCH)
        await queue.put(BATCH)
        await queue.put(BATCH)
    # Tasks of earlier tests share the event loop, and may log meanwhile.
    own = [line for line in lines if line.get("step") == "write to the queue"]
    assert [line.get("reason") for line in own] == ["TimeoutError", "OOM", "ValueError", None]
    assert "SECRET" not in str(lines)


class Stream:
    """Redis, as far as a heartbeat needs it; signals each beat."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.ended = asyncio.Event()

    async def beat(self, _consumer: str, _liveness_s: float, _waits_for: str) -> None:
        if not self.errors:
            self.ended.set()
            return
        error = self.errors.pop(0)
        if error is not None:
            raise error


async def test_a_heartbeat_goes_on_after_any_error_and_logs_what_nobody_else_does():
    stream: Any = Stream(TimeoutError(), ValueError("SECRET"), KeyError("SECRET"), None, ValueError("SECRET"))
    liveness = Liveness(stream, "me", heartbeat_s=0.001, liveness_s=60)
    assert liveness.may_judge()
    with capture_logs() as lines:
        liveness.start()
        await asyncio.wait_for(stream.ended.wait(), 60)
        await liveness.stop()
    assert [line["event"] for line in lines] == ["heartbeat failed; retrying"] * 2
    assert not liveness.may_judge()
