"""Runs deliveries and settles how they end: stored, retried later, or dead-lettered. Never in between."""

from __future__ import annotations

import random
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import structlog
from taskiq import AckableMessage, TaskiqMiddleware
from taskiq.receiver import Receiver
from taskiq.utils import maybe_awaitable

from storage.dead_letters import UNPARSABLE, failure_reason
from storage.errors import StorageError, StorageUnavailable
from telemetry import metrics
from worker.queue.broker import QueuedMessage
from worker.queue.outages import REDIS_ERRORS, error_code

if TYPE_CHECKING:
    from taskiq import TaskiqMessage, TaskiqResult

    from worker.queue.broker import WorkerBroker
    from worker.queue.stream import Attempts

logger = structlog.get_logger("worker.queue.receiver")

_AFTER_OUTAGE: Final = metrics.RETRIES.child("outage")
_AFTER_FAILURE: Final = metrics.RETRIES.child("failure")
_FIRST_DELAY_S: Final = 1.0
_MAX_DELAY_S: Final = 30.0
_OUTAGE_DELAY_S: Final = 1.0
"""The broker paces what it begins in an outage, so that a batch need not wait long after it."""

_delivery: ContextVar[QueuedMessage] = ContextVar("llm_observe_delivery")
"""What runs."""


class LogReceiver(Receiver):
    """Parses a message before running it, so that an unreadable one becomes a dead letter, not a log line."""

    broker: WorkerBroker

    async def callback(self, message: bytes | AckableMessage, raise_err: bool = False) -> None:  # noqa: FBT001, FBT002 - taskiq's signature
        """Run one delivery. If it cannot be settled, it stays pending and is redelivered."""
        if isinstance(message, QueuedMessage):
            _delivery.set(message)
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
    """Has a failed batch tried again, later each time, and dead-letters it after the last attempt.

    It decides before the failed delivery is acknowledged: a crash in between repeats work and loses nothing.
    """

    def __init__(self, broker: WorkerBroker, max_attempts: int) -> None:
        super().__init__()
        self._queue = broker
        self._max_attempts = max_attempts

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """Note that Postgres stores again."""
        del message
        if not result.is_err:
            self._queue.storing.end()

    async def on_error(
        self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException
    ) -> None:
        """Retry a failed batch, or dead-letter it."""
        del message, result
        delivery = _delivery.get()
        earlier = await self._queue.stream.attempts_of(delivery.entry_id)
        if isinstance(exception, StorageUnavailable):
            _AFTER_OUTAGE.record(1)
            self._queue.storing.note(exception)
            # The batch is not to blame, so no attempt is used up. Our own text says what is.
            attempts = earlier._replace(outages=earlier.outages + 1)
            self._retry(attempts, _OUTAGE_DELAY_S, str(exception))
            return
        attempts = earlier._replace(failures=earlier.failures + 1)
        if attempts.failures < self._max_attempts:
            _AFTER_FAILURE.record(1)
            delay_s = min(_FIRST_DELAY_S * 2**earlier.failures, _MAX_DELAY_S)
            self._retry(attempts, delay_s, type(exception).__name__)
        else:
            await self._queue.dead_letters.dead_letter_message(
                delivery.data, failure_reason(exception), attempts.failures
            )

    def _retry(self, attempts: Attempts, delay_s: float, reason: str) -> None:
        delay_s *= random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        self._queue.retry_later(_delivery.get().entry_id, delay_s, attempts)
        logger.info(
            "batch will be retried",
            failures=attempts.failures,
            outages=attempts.outages,
            delay_s=round(delay_s, 2),
            reason=reason,
        )
