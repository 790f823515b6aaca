"""The bounded queue between the application and the collector, and the thread that empties it."""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe._call import uuid7
from llm_observe._guard import logger, note_fault
from llm_observe._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._call import Call
    from llm_observe._config import Config
    from llm_observe._exporter import ExportResult
    from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
    from llm_observe.v1.log_pb2 import Log

    Export = Callable[[IngestLogsRequest, float], ExportResult]

_BATCH_MAX_LOGS: Final = 500
_BATCH_MAX_BYTES: Final = 2 * 1024 * 1024
_BACKOFF_FIRST_S: Final = 0.2
_BACKOFF_MOST_S: Final = 5.0
_RETRY_AFTER_MOST_S: Final = 60.0


class FlushResult(NamedTuple):
    """What a flush found. Counts are totals since the process started, except ``pending``."""

    sent: int
    """Logs the collector has accepted."""
    dropped: int
    """Logs given up, for any reason."""
    pending: int
    """Logs still waiting."""


class Batcher:
    """Takes calls in microseconds and sends them from one daemon thread, which starts with the first call.

    Bounded by count and by bytes; what does not fit is dropped and counted by reason. After a fork the
    child begins empty, with its own identity and thread: what waited belongs to the parent.
    """

    def __init__(self, config: Config, export: Export, to_log: Callable[[Call], Log]) -> None:
        self._config = config
        self._export = export
        self._to_log = to_log
        self._reset()
        itself = weakref.WeakMethod(self._reset)
        os.register_at_fork(after_in_child=lambda: (reset := itself()) and reset())

    def _reset(self) -> None:
        # Re-entrant: a garbage-collected stream may call add() while add() runs on the same thread.
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._quit = threading.Event()
        self._calls: deque[Call] = deque()
        self._waiting_bytes = 0
        self._in_flight = 0
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._abandoned = False
        self._taken = 0
        self._processed = 0
        self._producer_id = uuid7()
        self._start_ns = time.time_ns()
        self._batch_number = 0
        self._logged = 0
        self._batched = 0
        self._sent = 0
        self._dropped: dict[str, int] = {}

    def add(self, call: Call) -> None:
        """Take a finished call, or drop and count it. Never blocks on the network."""
        size = call.size_bytes()
        with self._lock:
            self._logged += 1
            if self._stopped:
                self._drop("shut_down", 1)
                return
            full = len(self._calls) >= self._config.queue_max_logs
            if full or self._waiting_bytes + size > self._config.queue_max_bytes:
                self._drop("queue_full", 1)
                return
            self._calls.append(call)
            self._taken += 1
            self._waiting_bytes += size
            if self._thread is None:
                self._start_thread()
        if not self._wake.is_set():
            self._wake.set()
        if len(self._calls) >= _BATCH_MAX_LOGS and not self._hurry.is_set():
            self._hurry.set()

    def _drop(self, reason: str, count: int) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + count

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="llm-observe-sender", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not (self._stopped and not self._calls):
            self._wake.wait()
            self._hurry.wait(self._config.batch_delay_s)
            with self._lock:
                self._wake.clear()
                self._hurry.clear()
            try:
                self._send_waiting()
            except Exception as error:  # noqa: BLE001 - the thread must outlive any fault of ours
                note_fault("sender", type(error))
                self._settle(dropped=self._in_flight, reason="internal_error")

    def _send_waiting(self) -> None:
        while self._calls:
            request, count = self._next_batch()
            if count:
                self._send(request, count)

    def _next_batch(self) -> tuple[IngestLogsRequest, int]:
        from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest  # noqa: PLC0415 - loaded with the first send

        request = IngestLogsRequest()
        size = 0
        while self._calls and len(request.logs) < _BATCH_MAX_LOGS and size < _BATCH_MAX_BYTES:
            with self._lock:
                call = self._calls.popleft()
                self._waiting_bytes -= call.size_bytes()
                self._in_flight += 1
            try:
                log = self._to_log(call)
            except Exception as error:  # noqa: BLE001 - one bad record must not take its neighbours along
                note_fault("to_log", type(error))
                self._settle(dropped=1, reason="internal_error")
                continue
            request.logs.append(log)
            size += log.ByteSize()
        self._report(request)
        return request, len(request.logs)

    def _report(self, request: IngestLogsRequest) -> None:
        with self._lock:
            self._batch_number += 1
            self._batched += len(request.logs)
            report = request.producer
            report.producer_id = self._producer_id
            report.batch_number = self._batch_number
            report.logged_count = self._logged
            report.sent_count = self._batched
            report.dropped_counts.update(self._dropped)
            report.start_time.FromNanoseconds(self._start_ns)
            report.sdk_name, report.sdk_version = "llm-observe-python", __version__

    def _send(self, request: IngestLogsRequest, count: int) -> None:
        backoff_s = _BACKOFF_FIRST_S
        while True:
            result = self._export(request, self._config.export_timeout_s)
            if not result.retry:
                break
            if self._stopped:
                self._settle(dropped=count, reason="shut_down")
                return
            asked_s = min(result.retry_after_s, _RETRY_AFTER_MOST_S)
            self._quit.wait(asked_s + backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            backoff_s = min(backoff_s * 2, _BACKOFF_MOST_S)
        if result.failure:
            self._settle(dropped=count, reason="refused")
            logger.warning("collector refused a batch of %d logs: %s", count, result.failure)
        else:
            self._settle(sent=count - result.rejected, dropped=result.rejected, reason="rejected")

    def _settle(self, *, sent: int = 0, dropped: int = 0, reason: str = "") -> None:
        with self._settled:
            if self._abandoned:
                return
            self._in_flight -= sent + dropped
            self._processed += sent + dropped
            self._sent += sent
            if dropped:
                self._drop(reason, dropped)
            self._settled.notify_all()

    def flush(self, timeout_s: float) -> FlushResult:
        """Wait until what was added before is sent or dropped, at most timeout_s seconds."""
        deadline = time.monotonic() + timeout_s
        with self._settled:
            target = self._taken
            self._wake.set()
            self._hurry.set()
            while self._processed < target:
                left = deadline - time.monotonic()
                if left <= 0 or self._thread is None:
                    break
                self._settled.wait(left)
            return self._result()

    def shutdown(self, timeout_s: float) -> FlushResult:
        """Flush, then take nothing more; what is left is dropped and counted."""
        self.flush(timeout_s)
        with self._settled:
            self._stopped = self._abandoned = True
            self._quit.set()
            if left := len(self._calls) + self._in_flight:
                self._drop("shut_down", left)
            self._in_flight = 0
            self._calls.clear()
            self._wake.set()
            self._hurry.set()
            return self._result()

    def _result(self) -> FlushResult:
        pending = len(self._calls) + self._in_flight
        return FlushResult(sent=self._sent, dropped=sum(self._dropped.values()), pending=pending)

    def dropped_counts(self) -> dict[str, int]:
        """Return drops so far, by reason."""
        with self._lock:
            return dict(self._dropped)
