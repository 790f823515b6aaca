"""Counts the outcomes of all calls. flush() returns the counts, and each batch reports them to the server."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from llm_observe._version import SDK_NAME, __version__
from llm_observe.ids import uuid7

if TYPE_CHECKING:
    from llm_observe._batch_kind import Request
    from llm_observe.v1.ingest_service_pb2 import ProducerReport


class FlushResult(NamedTuple):
    """Counts at the end of a flush: totals since the process started, except ``pending``."""

    sent: int
    """Logs and spans that the collector has accepted."""
    dropped: int
    """Those that were dropped, for any reason."""
    pending: int
    """Those still waiting, in memory or in the spool."""

    def plus(self, other: FlushResult) -> FlushResult:
        """Return the sums of both."""
        return FlushResult(*map(sum, zip(self, other, strict=True)))


class DeliveryCounters:
    """The counts of one producer. ``lock`` guards them and the queue.

    Every call is first counted as logged. From then on, ``logged`` plus the logs adopted from the spools of
    dead processes equals sent + dropped + pending.

    The lock is re-entrant: a stream that is garbage-collected logs its call on a thread that may be logging.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._settled = threading.Condition(self.lock)
        self.producer_id = uuid7()
        self._start_ns = time.time_ns()
        self.logged = 0
        """Calls that the application made."""
        self.queued = 0
        """The calls that fitted into the queue, and the logs adopted from the spools of dead processes."""
        self._adopted = 0
        self._processed = 0
        self._sent = 0
        self._dropped: dict[str, int] = {}
        self._batches = 0
        self._batched = 0
        self._closed = False

    def adopt(self, count: int) -> None:
        """Count logs that a dead process left in the spool."""
        with self.lock:
            self.queued += count
            self._adopted += count

    def drop(self, reason: str, count: int = 1) -> None:
        """Count logs as dropped without having been queued. The caller holds the lock."""
        self._dropped[reason] = self._dropped.get(reason, 0) + count

    def settle(self, *, sent: int = 0, dropped: int = 0, reason: str = "") -> None:
        """Count logs that have left the queue: sent, or dropped for a reason."""
        with self._settled:
            if self._closed:
                return
            self._processed += sent + dropped
            self._sent += sent
            if dropped:
                self.drop(reason, dropped)
            self._settled.notify_all()

    def wait(self, timeout_s: float) -> FlushResult:
        """Wait until everything queued so far is settled, at most timeout_s seconds."""
        deadline = time.monotonic() + min(timeout_s, threading.TIMEOUT_MAX)
        with self._settled:
            own = self.queued - self._adopted
            # Logs adopted meanwhile are older and are sent first.
            while self._processed < own + self._adopted and (left := deadline - time.monotonic()) > 0:
                if not self._settled.wait(left):  # not by the clock, which tests of applications stop
                    break
            return self.result()

    def close(self, *, kept: int) -> FlushResult:
        """Count the remaining logs as dropped, except ``kept`` in the spool. Later counts are ignored."""
        with self._settled:
            if not self._closed:
                if lost := self.queued - self._processed - kept:
                    self.settle(dropped=lost, reason="shut_down")
                self._closed = True
            return self.result()

    def result(self) -> FlushResult:
        """Return the current counts."""
        dropped = sum(self._dropped.values())
        return FlushResult(sent=self._sent, dropped=dropped, pending=self.queued - self._processed)

    def dropped_counts(self) -> dict[str, int]:
        """Return drops so far, by reason."""
        with self.lock:
            return dict(self._dropped)

    def report(self, request: Request, count: int) -> int:
        """Write the producer and its counts into a new batch of logs; return the batch's number."""
        with self.lock:
            self._batches += 1
            self._batched += count
            producer: ProducerReport | None = getattr(request, "producer", None)
            if producer is None:  # of spans: they are in no ledger
                return self._batches
            producer.producer_id = self.producer_id
            producer.batch_number = self._batches
            producer.logged_count = self.logged
            producer.sent_count = self._batched
            producer.dropped_counts.update(self._dropped)
            producer.start_time.FromNanoseconds(self._start_ns)
            producer.sdk_name, producer.sdk_version = SDK_NAME, __version__
            return self._batches
