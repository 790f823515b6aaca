"""Runs deliveries and settles how they end: stored, retried later, or dead-lettered. Never in between."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import structlog
from taskiq import AckableMessage, TaskiqMiddleware
from taskiq.receiver import Receiver
from taskiq.utils import maybe_awaitable

from storage.dead_letters import UNPARSABLE, failure_reason
from storage.errors import StorageError, StorageUnavailable
from telemetry import metrics
from worker.queue.outages import REDIS_ERRORS, error_code

if TYPE_CHECKING:
    from taskiq import TaskiqMessage, TaskiqResult

    from worker.queue.broker import WorkerBroker

logger = structlog.get_logger("worker.queue.receiver")

_ATTEMPT: Final = "attempt"
_OUTAGES: Final = "outages"
_AFTER_OUTAGE: Final = metrics.RETRIES.child("outage")
_AFTER_FAILURE: Final = metrics.RETRIES.child("failure")
_FIRST_DELAY_S: Final = 1.0
_MAX_DELAY_S: Final = 30.0
_MAX_DOUBLINGS: Final = 10


class LogReceiver(Receiver):
    """Parses a message before running it, so that an unreadable one becomes a dead letter, not a log line."""

    broker: WorkerBroker

    async def callback(self, message: bytes | AckableMessage, raise_err: bool = False) -> None:  # noqa: FBT001, FBT002 - taskiq's signature
        """Run one delivery. If it cannot be settled, it stays pending and is redelivered."""
        try:
            if not isinstance(message, AckableMessage) or await self._is_readable(message):
                await super().callback(message, raise_err)
        except (StorageError, *REDIS_ERRORS) as error:
            reason = str(error) if isinstance(error, StorageError) else error_code(error)
            logger.warning("delivery not settled; it will be redelivered", reason=reason)
        except Exception:
            logger.exception("delivery not settled; it will be redelivered")
        finally:
            await self.broker.release(message)

    async def _is_readable(self, message: AckableMessage) -> bool:
        try:
            task_name = self.broker.formatter.loads(message.data).task_name
            known = self.broker.find_task(task_name) is not None
        except ValueError:
            known = False
        if not known:
            await self.broker.dead_letters.dead_letter_message(message.data, UNPARSABLE, 1)
            await maybe_awaitable(message.ack())
        return known


class RetryMiddleware(TaskiqMiddleware):
    """Queues a failed batch again, later each time, and dead-letters it after the last attempt.

    Runs before the failed delivery is acknowledged: a crash in between repeats work and loses nothing.
    """

    def __init__(self, broker: WorkerBroker, max_attempts: int) -> None:
        super().__init__()
        self._queue = broker
        self._max_attempts = max_attempts

    async def on_error(
        self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException
    ) -> None:
        """Retry a failed batch, or dead-letter it."""
        del result
        attempt = int(message.labels.get(_ATTEMPT, 1))
        outages = int(message.labels.get(_OUTAGES, 0))
        if isinstance(exception, StorageUnavailable):
            _AFTER_OUTAGE.record(1)
            # The batch is not to blame, so no attempt is used up. Our own text says what is.
            await self._retry(message, attempt, outages + 1, outages, str(exception))
        elif attempt < self._max_attempts:
            _AFTER_FAILURE.record(1)
            await self._retry(message, attempt + 1, outages, attempt - 1, type(exception).__name__)
        else:
            data = self._queue.formatter.dumps(message).message
            await self._queue.dead_letters.dead_letter_message(data, failure_reason(exception), attempt)

    async def _retry(
        self, message: TaskiqMessage, attempt: int, outages: int, wait: int, reason: str
    ) -> None:
        labels = {**message.labels, _ATTEMPT: str(attempt), _OUTAGES: str(outages)}
        retry = message.model_copy(update={"labels": labels})
        delay_s = min(_FIRST_DELAY_S * 2 ** min(wait, _MAX_DOUBLINGS), _MAX_DELAY_S)
        delay_s *= random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        await self._queue.retry_later(self._queue.formatter.dumps(retry), delay_s)
        logger.info(
            "batch will be retried",
            attempt=attempt,
            outages=outages,
            delay_s=round(delay_s, 2),
            reason=reason,
        )
