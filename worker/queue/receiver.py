"""Runs deliveries and settles how they ended: stored, again later, or a dead letter. Never in between."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import structlog
from taskiq import TaskiqMiddleware
from taskiq.receiver import Receiver

from storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from taskiq import AckableMessage, TaskiqMessage, TaskiqResult

    from worker.queue.broker import LogBroker

logger = structlog.get_logger("worker.queue.receiver")

_ATTEMPT: Final = "attempt"
_OUTAGES: Final = "outages"
_FIRST_DELAY_S: Final = 1.0
_MOST_DELAY_S: Final = 30.0


class LogReceiver(Receiver):
    """Parses before it runs, so that what nobody can read becomes a dead letter and not a log line."""

    broker: LogBroker

    async def callback(self, message: bytes | AckableMessage, raise_err: bool = False) -> None:  # noqa: FBT001, FBT002 - taskiq's signature
        """Run one delivery. One that could not be settled stays pending and comes again."""
        try:
            if await self._readable(message):
                await super().callback(message, raise_err)
        except Exception:
            logger.exception("delivery not settled")
        finally:
            await self.broker.release(message)

    async def _readable(self, message: Any) -> bool:
        try:
            known = self.broker.find_task(self.broker.formatter.loads(message.data).task_name) is not None
        except ValueError:
            known = False
        if not known and self.broker.dead_letter is not None:
            await self.broker.dead_letter(message.data, "unparsable", 1)
            await message.ack()
        return known


class RetryMiddleware(TaskiqMiddleware):
    """Sends a failed batch round again, later each time, and gives it up after the last attempt.

    Runs before the failed delivery is acknowledged: a crash in between repeats work and loses nothing.
    """

    def __init__(self, broker: LogBroker, max_attempts: int) -> None:
        super().__init__()
        self._queue = broker
        self._max_attempts = max_attempts

    async def on_error(
        self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException
    ) -> None:
        """Decide what becomes of a failed batch."""
        del result
        attempt = int(message.labels.get(_ATTEMPT, 1))
        outages = int(message.labels.get(_OUTAGES, 0))
        if isinstance(exception, StorageUnavailable):
            # The database is away: no fault of the batch, so no attempt is used up.
            await self._again(message, attempt, outages + 1, wait=outages)
        elif attempt < self._max_attempts:
            await self._again(message, attempt + 1, outages, wait=attempt - 1)
        elif self._queue.dead_letter is not None:
            data = self._queue.formatter.dumps(message).message
            await self._queue.dead_letter(data, f"failed:{type(exception).__name__}", attempt)

    async def _again(self, message: TaskiqMessage, attempt: int, outages: int, *, wait: int) -> None:
        labels = {**message.labels, _ATTEMPT: str(attempt), _OUTAGES: str(outages)}
        again = message.model_copy(update={"labels": labels})
        delay_s = min(_FIRST_DELAY_S * 2**wait, _MOST_DELAY_S) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        await self._queue.retry_later(self._queue.formatter.dumps(again), delay_s)
        logger.info("batch again later", attempt=attempt, outages=outages, delay_s=round(delay_s, 2))
