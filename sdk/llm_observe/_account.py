"""What became of every call: the counts that a flush returns and that each batch tells the server."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from llm_observe._version import __version__
from llm_observe.ids import uuid7

if TYPE_CHECKING:
    from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest


class FlushResult(NamedTuple):
    """What a flush found. Counts are totals since the process started, except ``pending``."""

    sent: int
    """Logs the collector has accepted."""
    dropped: int
    """Logs given up, for any reason."""
    pending: int
    """Logs still waiting, in memory or in the spool."""


class Account:
    """One producer's counts. ``lock`` guards them, and the queue that they are about.

    The lock is re-entrant: a garbage-collected stream may log while its thread logs already.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._settled = threading.Condition(self.lock)
        self.producer_id = uuid7()
        self._start_ns = time.time_ns()
        self.logged = 0
        """Calls that the application made."""
        self.taken = 0
        """Those of them that found room, and those found in the spool of a dead process."""
        self._adopted = 0
        self._processed = 0
        self._sent = 0
        self._dropped: dict[str, int] = {}
        self._batches = 0
        self._batched = 0
        self._closed = False

    def adopt(self, count: int) -> None:
        """Take what a dead process left in the spool."""
        with self.lock:
            self.taken += count
            self._adopted += count

    def drop(self, reason: str, count: int = 1) -> None:
        """Count what found no room. Hold the lock."""
        self._dropped[reason] = self._dropped.get(reason, 0) + count

    def settle(self, *, sent: int = 0, dropped: int = 0, reason: str = "") -> None:
        """Count what has been sent or given up, of what was taken."""
        with self._settled:
            if self._closed:
                return
            self._processed += sent + dropped
            self._sent += sent
            if dropped:
                self.drop(reason, dropped)
            self._settled.notify_all()

    def wait(self, timeout_s: float) -> FlushResult:
        """Wait until everything taken before is settled, at most timeout_s seconds."""
        deadline = time.monotonic() + timeout_s
        with self._settled:
            own = self.taken - self._adopted
            # What is adopted meanwhile goes first, being older.
            while self._processed < own + self._adopted and (left := deadline - time.monotonic()) > 0:
                self._settled.wait(left)
            return self.result()

    def close(self, *, kept: int) -> FlushResult:
        """Count what is left as dropped, but for the ``kept`` of the spool; nothing counts afterwards."""
        with self._settled:
            if not self._closed:
                if lost := self.taken - self._processed - kept:
                    self.settle(dropped=lost, reason="shut_down")
                self._closed = True
            return self.result()

    def result(self) -> FlushResult:
        """Return the counts as they stand."""
        dropped = sum(self._dropped.values())
        return FlushResult(sent=self._sent, dropped=dropped, pending=self.taken - self._processed)

    def dropped_counts(self) -> dict[str, int]:
        """Return drops so far, by reason."""
        with self.lock:
            return dict(self._dropped)

    def report(self, request: IngestLogsRequest) -> int:
        """Tell the server, with a new batch, who sends it and how the counts stand; returns its number."""
        with self.lock:
            self._batches += 1
            self._batched += len(request.logs)
            producer = request.producer
            producer.producer_id = self.producer_id
            producer.batch_number = self._batches
            producer.logged_count = self.logged
            producer.sent_count = self._batched
            producer.dropped_counts.update(self._dropped)
            producer.start_time.FromNanoseconds(self._start_ns)
            producer.sdk_name, producer.sdk_version = "llm-observe-python", __version__
            return self._batches
