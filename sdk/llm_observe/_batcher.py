"""The thread that sends what the application has queued."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Final, Generic

from llm_observe._batch_kind import LOGS
from llm_observe._counters import DeliveryCounters, FlushResult
from llm_observe._delivery import Delivery
from llm_observe._guard import guarded, report_internal_error
from llm_observe._loading import forks_wait
from llm_observe._queue import INBOX_CALLS, BoundedQueue, Item
from llm_observe._senders import Senders
from llm_observe._wake_up import WakeUp

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._batch_kind import BatchKind, Request
    from llm_observe._config import Config
    from llm_observe._delivery import Export
    from llm_observe._spool_sender import SpoolSender
    from llm_observe.v1.log_pb2 import Log
    from llm_observe.v1.span_pb2 import Span as SpanMessage

_BATCH_MAX_LOGS: Final = 500
_BATCH_MAX_BYTES: Final = 2 * 1024 * 1024


class _Batch:
    """Calls on their way to the collector."""

    __slots__ = ("calls", "held_bytes", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.calls = 0
        """How many were taken from the queue."""
        self.held_bytes = 0
        """How many bytes of the queue's they still take."""


class Batcher(Generic[Item]):
    """Queues calls in microseconds and sends them from a daemon thread, which starts with the first call.

    Calls that do not fit into the queue are dropped and counted by reason. After a fork, the child has an
    empty queue, and its own producer id and thread: the parent sends the rest.

    Args:
        config: Bounds and delays.
        export: Sends a batch once.
        to_log: Builds the redacted Log of a call; runs on the thread.
        on_start: Called with the first call of a process.
        prepare: Called by load(); loads modules.
        kind: What the calls are: those to models, or spans.
        most_in_flight: How many batches may be on their way at once; ``export`` runs in as many threads.
    """

    def __init__(
        self,
        config: Config,
        export: Export,
        to_log: Callable[[Item], Log | SpanMessage],
        on_start: Callable[[], None] = lambda: None,
        prepare: Callable[[], None] = lambda: None,
        *,
        kind: BatchKind = LOGS,
        most_in_flight: int = 1,
    ) -> None:
        self._config = config
        self._most_in_flight = most_in_flight
        self._kind = kind
        self._export = export
        self._to_log = to_log
        self._on_start = on_start
        self._prepare = prepare
        self._spool: SpoolSender | None = None
        self._reset()
        itself = weakref.WeakMethod(self._reset)
        os.register_at_fork(after_in_child=lambda: (reset := itself()) and reset())

    def _reset(self) -> None:
        if self._spool is not None:
            self._spool.forget()
            self._spool = None
        self._counters = DeliveryCounters()
        self._lock = self._counters.lock
        self._delivery = Delivery(self._config, self._export, self._kind)
        self._senders: Senders[_Batch] = Senders(self._deliver, self._most_in_flight)
        self._wake = WakeUp()
        self._hurry = WakeUp()
        self._queue: BoundedQueue[Item] = BoundedQueue(self._config, self._counters)
        self._thread: threading.Thread | None = None

    def add(self, call: Item) -> None:
        """Queue a finished call, or drop it. Never blocks on the network."""
        queue = self._queue
        queue.put(call)
        if len(queue.inbox) >= INBOX_CALLS or queue.closed or self._thread is None:
            self._take_in()
        if self._wake.is_unset():
            self._wake.set()

    def _take_in(self) -> None:
        """Count the calls in the inbox and queue or drop them; see that there is a thread to send them."""
        with self._lock:
            queued = self._queue.take_in()
            if queued and self._thread is None:
                self._start_thread()
        if queued >= _BATCH_MAX_LOGS:
            self._hurry.set()

    def _start_thread(self) -> None:
        """Start the sender. If no thread can be started now, the next call tries again."""
        thread = threading.Thread(target=self._run, name="llm-observe-sender", daemon=True)
        thread.start()
        self._thread = thread
        self._on_start()

    def load(self) -> None:
        """Load what the thread needs. If that is done before the first call, no call waits for it."""
        try:
            with forks_wait():
                self._load()
                self._prepare()
        except Exception as error:  # noqa: BLE001 - what cannot be loaded fails again where it is needed
            report_internal_error("prepare", type(error))

    def _run(self) -> None:
        thread = threading.current_thread()
        with self._lock:
            if self._thread not in (
                None,
                thread,
            ):  # another was started while this one's start was interrupted
                return
            self._thread = thread
        try:
            self._send_until_stopped()
        finally:  # one that was killed, as greenlets may be, is replaced with the next call
            self._thread = None

    def _send_until_stopped(self) -> None:
        self.load()
        if self._config.spool_dir and self._spool is None:
            self._open_spool()
        while not (self._queue.closed and not self._queue):
            self._wake.wait()
            self._hurry.wait(self._config.batch_delay_s)
            with self._lock:
                self._wake.clear()
                self._hurry.clear()
            self._send_backlog()

    def _send_backlog(self) -> None:
        """Send the calls that are queued now. Those that come meanwhile wait for others."""
        with self._lock:
            backlog = self._queue.take_in()
        while backlog > 0 and (taken := self._send_batch()):
            backlog -= taken

    def _load(self) -> None:
        """Load what the thread itself needs."""
        from llm_observe.v1 import ingest_service_pb2  # noqa: F401, PLC0415 - loaded with the first send

        if self._config.spool_dir:
            from llm_observe import _spool_sender  # noqa: F401, PLC0415 - loaded only if it is used

    def _open_spool(self) -> None:
        from llm_observe._spool_sender import SpoolSender  # noqa: PLC0415 - loaded only if it is used

        try:
            with forks_wait():  # a child that had its locks would keep them, and other processes from it
                self._spool = SpoolSender(self._config, self._counters, self._delivery, self._kind)
        except BaseException as error:  # noqa: BLE001 - without a spool, batches wait in memory
            report_internal_error("spool_dir", type(error))

    def _send_batch(self) -> int:
        """Send the next batch. Even if something fails, its logs are counted as sent or dropped.

        Returns:
            How many calls were taken from the queue.
        """
        batch: _Batch | None = None
        try:
            batch = _Batch(self._kind.new_request())
            self._fill(batch)
            self._send(batch)
        except BaseException as error:  # noqa: BLE001 - the thread must outlive whatever an exporter raises
            report_internal_error("sender", type(error))
            dropped = self._queue.discard() if batch is None else self._count(batch)
            self._counters.settle(dropped=dropped, reason="internal_error")
            self._let_go(batch)
        return 0 if batch is None else batch.calls

    def _count(self, batch: _Batch) -> int:
        """Return how many records a batch has: calls whose log failed have none."""
        return len(self._kind.records(batch.request))

    def _send(self, batch: _Batch) -> None:
        count = self._count(batch)
        if count:
            number = self._counters.report(batch.request, count)
            if self._spool is None or not self._spool.keep(batch.request, number):
                more_wait = len(self._queue) >= _BATCH_MAX_LOGS
                self._senders.send(batch, beside=more_wait and self._delivery.answers)
                return
        self._let_go(batch)

    def _deliver(self, batch: _Batch) -> None:
        """Send a batch until its logs are settled."""
        try:
            if delivered := self._delivery.deliver(batch.request):
                self._counters.settle(**delivered._asdict())
        except BaseException as error:  # noqa: BLE001 - every log must be counted, as above
            report_internal_error("sender", type(error))
            self._counters.settle(dropped=self._count(batch), reason="internal_error")
        finally:
            self._let_go(batch)

    def _let_go(self, batch: _Batch | None) -> None:
        """Give the bytes of a batch's calls back to the queue, once."""
        if batch is not None:
            with self._lock:
                self._queue.held_bytes -= batch.held_bytes
                batch.held_bytes = 0

    def _fill(self, batch: _Batch) -> None:
        """Move calls from the queue into a batch. One whose log fails is dropped alone."""
        size, records = 0, self._kind.records(batch.request)
        while batch.calls < _BATCH_MAX_LOGS and size < _BATCH_MAX_BYTES and (call := self._queue.take()):
            batch.calls += 1
            batch.held_bytes += call.waiting_bytes
            try:
                log = self._to_log(call)
                size += log.ByteSize()
                records.append(log)
            except BaseException as error:  # noqa: BLE001 - one bad record must not cost the others
                report_internal_error("to_log", type(error))
                self._counters.settle(dropped=1, reason="internal_error")

    def flush(self, timeout_s: float) -> FlushResult:
        """Wait until every call added before is sent or dropped, at most timeout_s seconds."""
        with guarded("flush"):  # it may be impossible to start a thread
            self._take_in()
        self._wake.set()
        self._hurry.set()
        return self._counters.wait(timeout_s)

    def shutdown(self, timeout_s: float) -> FlushResult:
        """Flush and stop. Calls that are left are dropped and counted, or stay in the spool."""
        self.flush(timeout_s)
        with self._lock:
            self._queue.closed = True
        self._delivery.stop()
        # Without the lock: a stream that is garbage-collected while the spool is busy needs it, too.
        kept = self._spool.stop() if self._spool is not None else 0
        with self._lock:
            self._queue.take_in()
            result = self._counters.close(kept=kept)
            self._queue.discard()
        self._wake.set()
        self._hurry.set()
        return result

    def dropped_counts(self) -> dict[str, int]:
        """Return drops so far, by reason."""
        with self._lock:
            self._queue.take_in()
        return self._counters.dropped_counts()
