"""Sends a batch until the collector accepts or refuses it, or its time is over."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe._batch_kind import LOGS
from llm_observe._guard import logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from llm_observe._batch_kind import BatchKind, Request
    from llm_observe._config import Config
    from llm_observe.exporter import ExportResult

    # Any: of logs or of spans, as the kind says.
    Export = Callable[[Any, float], ExportResult]

_INITIAL_BACKOFF_S: Final = 0.2
_MAX_BACKOFF_S: Final = 5.0
_MAX_RETRY_AFTER_S: Final = 60.0


class Delivered(NamedTuple):
    """How many records of a batch were sent, how many dropped, and why."""

    sent: int = 0
    dropped: int = 0
    reason: str = ""


class Delivery:
    """Retries with exponential back-off and jitter, never before the server's RetryInfo allows."""

    def __init__(self, config: Config, export: Export, kind: BatchKind = LOGS) -> None:
        self._config = config
        self._kind = kind
        self._export = export
        self._stopped = threading.Event()
        self.answers = False
        """Whether the collector took or refused what it was sent last: then it may be sent more at once."""

    def stop(self) -> None:
        """Make no further attempt."""
        self._stopped.set()

    def deliver(self, request: Request) -> Delivered | None:
        """Return the outcome of a batch, or None if stop() came first."""
        count, backoff_s = len(self._kind.records(request)), _INITIAL_BACKOFF_S
        deadline = time.monotonic() + self._config.delivery_timeout_s
        while not self._stopped.is_set():
            left_s = max(0.001, deadline - time.monotonic())
            result = self._export(request, min(self._config.export_timeout_s, left_s))
            self.answers = not result.retry
            if self.answers:
                return self._settle(result, count)
            wait_s = min(result.retry_after_s, _MAX_RETRY_AFTER_S)
            wait_s += backoff_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            if time.monotonic() + wait_s > deadline:
                logger.warning("dropped a batch of %d %s: %s", count, self._kind.name, result.failure)
                return Delivered(dropped=count, reason="expired")
            self._stopped.wait(wait_s)
            backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)
        return None

    def _settle(self, result: ExportResult, count: int) -> Delivered:
        if result.failure:
            logger.warning("collector refused a batch of %d %s: %s", count, self._kind.name, result.failure)
            return Delivered(dropped=count, reason="refused")
        return Delivered(sent=count - result.rejected, dropped=result.rejected, reason="rejected")
