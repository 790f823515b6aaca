"""The batcher's bounds, counters and retries, with a fake collector and the real thread."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from llm_observe import _guard
from llm_observe._batcher import Batcher
from llm_observe._call import Call
from llm_observe._config import Config
from llm_observe._counters import FlushResult
from llm_observe._delivery import Delivery
from llm_observe._log_builder import build_log
from llm_observe._queue import INBOX_CALLS
from llm_observe.exporter import ExportResult
from llm_observe.redaction import Redactor
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

CONFIG = Config(endpoint="x:1", batch_delay_s=0.01)
FLUSH_S = 600.0
"""Longer than any flush takes, even on a busy machine."""


class Collector:
    """Gives the answers that a test sets, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.answers: list[ExportResult] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self, request, timeout_s) -> ExportResult:
        self.open.wait()
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else ExportResult(accepted=len(request.logs))


def to_log(call: Call):
    return build_log(call, Redactor(), environment="", release="", capture_content=True)


def make(config: Config = CONFIG) -> tuple[Batcher[Call], Collector]:
    collector = Collector()
    return Batcher(config, collector, to_log), collector


def call(text: str = "hi") -> Call:
    made = Call("openai", "chat", "m", lambda _: None)
    made.input_text = (text,)
    made.finish()
    return made


def wait_until(check: Callable[[], object]) -> None:
    while not check():
        time.sleep(0.001)


def test_everything_added_is_sent_in_batches_of_500():
    batcher, collector = make()
    for _ in range(1234):
        batcher.add(call())
    assert batcher.flush(FLUSH_S) == FlushResult(sent=1234, dropped=0, pending=0)
    assert sum(len(request.logs) for request in collector.requests) == 1234
    assert max(len(request.logs) for request in collector.requests) <= 500


@pytest.mark.parametrize(("most", "answered"), [(1, True), (4, True), (4, False)])
def test_batches_are_on_their_way_side_by_side_while_the_collector_answers(most, answered):
    collector, begun, open_ = Collector(), [], threading.Event()

    def export(request, timeout_s) -> ExportResult:
        begun.append(request)
        assert open_.wait(FLUSH_S)
        return collector(request, timeout_s)

    batcher = Batcher(CONFIG._replace(batch_delay_s=FLUSH_S), export, to_log, most_in_flight=most)
    batcher._delivery.answers = answered
    for _ in range(2_600):
        batcher.add(call())
    wait_until(lambda: len(begun) == (most if answered else 1))
    assert batcher._queue
    open_.set()
    assert batcher.flush(FLUSH_S) == FlushResult(sent=2_600, dropped=0, pending=0)
    assert len({log.log_id for request in collector.requests for log in request.logs}) == 2_600
    assert len({request.producer.batch_number for request in collector.requests}) == len(begun)


@pytest.mark.parametrize(
    ("result", "answers"),
    [
        (ExportResult(accepted=1), True),
        (ExportResult(failure="INVALID_ARGUMENT"), True),
        (ExportResult(retry=True, failure="UNAVAILABLE"), False),
    ],
)
def test_a_collector_answers_if_it_takes_or_refuses(result, answers):
    delivery = Delivery(CONFIG, lambda *_: result)
    monitor = threading.Thread(target=delivery.deliver, args=(IngestLogsRequest(),), daemon=True)
    delivery.answers = not answers
    monitor.start()
    wait_until(lambda: delivery.answers is answers)
    delivery.stop()
    monitor.join()


def test_a_batch_that_fails_beside_others_is_counted(monkeypatch):
    monkeypatch.setattr(_guard, "raise_internal_errors", False)
    batcher = Batcher(CONFIG, failing_export, to_log, most_in_flight=4)
    for _ in range(2_001):
        batcher.add(call())
    assert batcher.flush(FLUSH_S) == FlushResult(sent=0, dropped=2_001, pending=0)
    assert batcher.dropped_counts() == {"internal_error": 2_001}


def failing_export(request, timeout_s) -> ExportResult:
    raise LookupError


def test_without_threads_batches_are_sent_one_by_one(monkeypatch):
    monkeypatch.setattr("llm_observe._senders.Senders._start", lambda *_: False)
    collector = Collector()
    batcher = Batcher(CONFIG, collector, to_log, most_in_flight=4)
    for _ in range(1_700):
        batcher.add(call())
    assert batcher.flush(FLUSH_S).sent == 1_700
    assert sum(len(request.logs) for request in collector.requests) == 1_700


def test_calls_that_come_while_a_batch_is_sent_share_the_next_one():
    batcher, collector = make(CONFIG._replace(batch_delay_s=FLUSH_S))
    collector.open.clear()
    batcher.add(call())
    batcher._hurry.set()
    wait_until(lambda: not batcher._queue)
    for _ in range(20):
        batcher.add(call())
    collector.open.set()
    wait_until(lambda: collector.requests)
    batcher.add(call())
    assert batcher.flush(FLUSH_S).sent == 22
    assert [len(request.logs) for request in collector.requests] == [1, 21]


def test_no_thread_starts_before_the_first_call():
    before = threading.active_count()
    make()
    assert threading.active_count() == before


TEN_IN_BYTES = CONFIG._replace(queue_max_bytes=10 * call().compact())


@pytest.mark.parametrize(
    ("config", "fitting"), [(CONFIG._replace(queue_max_logs=10), 11), (TEN_IN_BYTES, 10)]
)
def test_calls_beyond_the_queue_limits_are_dropped_and_counted(config, fitting):
    batcher, collector = make(config)
    collector.open.clear()
    batcher.add(call())
    wait_until(lambda: not batcher._queue)
    for _ in range(15):
        batcher.add(call())
    assert batcher.dropped_counts() == {"queue_full": 16 - fitting}
    collector.open.set()
    assert batcher.flush(FLUSH_S) == FlushResult(sent=fitting, dropped=16 - fitting, pending=0)


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Let the interpreter switch between threads as often as it can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("frequent_switches")
@pytest.mark.parametrize("most", [50, 10_000])
def test_calls_of_many_threads_are_counted_once_each(most):
    batcher, collector = make(CONFIG._replace(queue_max_logs=most))
    calls = [[call(str(number)) for _ in range(201)] for number in range(8)]
    threads = [threading.Thread(target=lambda mine=mine: [*map(batcher.add, mine)]) for mine in calls]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        batcher.flush(0)  # takes calls in, too
    result = batcher.flush(FLUSH_S)
    assert (result.sent + result.dropped, result.pending) == (8 * 201, 0)
    assert batcher._counters.logged == 8 * 201
    ids = [log.log_id for request in collector.requests for log in request.logs]
    assert len(set(ids)) == len(ids) == result.sent


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40])
def test_calls_that_wait_in_the_inbox_are_counted_at_the_end(count):
    batcher, collector = make()
    collector.open.clear()
    batcher.add(call())
    wait_until(lambda: not batcher._queue)
    for _ in range(count):
        batcher.add(call())
    assert batcher.shutdown(0) == FlushResult(sent=0, dropped=count + 1, pending=0)
    batcher.add(call())
    assert not batcher._queue
    assert batcher.dropped_counts() == {"shut_down": count + 2}
    collector.open.set()


def test_a_call_that_comes_between_flush_and_shutdown_is_counted(monkeypatch):
    batcher, _ = make()
    monkeypatch.setattr(batcher, "flush", lambda _: batcher._queue.put(call()))
    assert batcher.shutdown(0) == FlushResult(sent=0, dropped=1, pending=0)


def test_a_full_inbox_is_taken_in_while_the_sender_waits():
    batcher, collector = make()
    collector.open.clear()
    batcher.add(call())
    wait_until(lambda: not batcher._queue)
    for number in range(1, 3 * INBOX_CALLS + 1):
        batcher.add(call())
        assert len(batcher._queue.inbox) == number % INBOX_CALLS
    collector.open.set()
    assert batcher.flush(FLUSH_S).sent == 3 * INBOX_CALLS + 1


def test_a_call_after_a_large_backlog_waits_for_others_again():
    batcher, _ = make()
    for _ in range(600):
        batcher._queue.put(call())
    batcher._send_backlog()
    assert batcher._hurry.is_unset()


def failing_to_log(call: Call):
    raise LookupError


@pytest.mark.parametrize("most_in_flight", [1, 4])
@pytest.mark.parametrize("export", [None, failing_export])
@pytest.mark.parametrize("build", [to_log, failing_to_log])
def test_calls_take_their_bytes_until_they_are_settled(export, build, most_in_flight):
    batcher = Batcher(TEN_IN_BYTES, export or Collector(), build, most_in_flight=most_in_flight)
    for _ in range(5):
        for _ in range(10):
            batcher.add(call())
        assert batcher.flush(FLUSH_S).pending == 0
        wait_until(lambda: batcher._queue.held_bytes == 0)
    assert "queue_full" not in batcher.dropped_counts()


def test_calls_that_are_discarded_take_no_bytes():
    batcher, collector = make(TEN_IN_BYTES)
    collector.open.clear()
    for _ in range(12):
        batcher.add(call())
    batcher.shutdown(0)
    collector.open.set()
    wait_until(lambda: batcher._queue.held_bytes == 0)


def test_an_unavailable_collector_is_retried_until_it_recovers():
    batcher, collector = make()
    collector.answers = [ExportResult(retry=True, failure="UNAVAILABLE")] * 2
    batcher.add(call())
    assert batcher.flush(FLUSH_S) == FlushResult(sent=1, dropped=0, pending=0)
    assert len(collector.requests) == 3
    assert {request.producer.batch_number for request in collector.requests} == {1}


def test_retry_info_is_honoured_until_shutdown():
    batcher, collector = make()
    collector.answers = [ExportResult(retry=True, retry_after_s=86_400, failure="RESOURCE_EXHAUSTED")]
    batcher.add(call())
    wait_until(lambda: collector.requests)
    assert batcher.flush(0.2).pending == 1
    assert len(collector.requests) == 1
    assert batcher.shutdown(0.1).dropped == 1


def test_refused_and_rejected_logs_are_counted_by_reason():
    batcher, collector = make()
    collector.answers = [ExportResult(failure="INVALID_ARGUMENT"), ExportResult(accepted=1, rejected=1)]
    batcher.add(call())
    batcher.flush(FLUSH_S)
    batcher.add(call())
    batcher.add(call())
    assert batcher.flush(FLUSH_S) == FlushResult(sent=1, dropped=2, pending=0)
    assert batcher.dropped_counts() == {"refused": 1, "rejected": 1}


def test_flush_returns_at_its_timeout():
    batcher, collector = make()
    collector.open.clear()
    batcher.add(call())
    assert batcher.flush(0.2).pending == 1  # although the collector has not answered yet
    collector.open.set()


def test_shutdown_drops_queued_calls_and_refuses_new_ones():
    batcher, collector = make()
    collector.open.clear()
    batcher.add(call())
    result = batcher.shutdown(0.1)
    assert result == FlushResult(sent=0, dropped=1, pending=0)
    batcher.add(call())
    assert batcher.dropped_counts() == {"shut_down": 2}
    collector.open.set()


def test_producer_counters_add_up():
    batcher, collector = make(CONFIG._replace(queue_max_logs=2))
    collector.open.clear()
    batcher.add(call())
    wait_until(lambda: not batcher._queue)
    for _ in range(4):
        batcher.add(call())
    collector.open.set()
    batcher.flush(FLUSH_S)
    last = collector.requests[-1].producer
    assert last.logged_count == 5
    assert last.sent_count == 3
    assert dict(last.dropped_counts) == {"queue_full": 2}
    assert [request.producer.batch_number for request in collector.requests] == [1, 2]


def test_a_log_that_cannot_be_built_does_not_affect_others():
    def fragile(made):
        if made.model == "bad":
            raise RuntimeError
        return to_log(made)

    collector = Collector()
    batcher = Batcher(CONFIG, collector, fragile)
    bad = call()
    bad.model = "bad"
    for each in (call(), bad, call()):
        batcher.add(each)
    assert batcher.flush(FLUSH_S) == FlushResult(sent=2, dropped=1, pending=0)


def test_a_forked_child_starts_with_an_empty_queue_and_its_own_producer_id():
    batcher, collector = make()
    collector.open.clear()
    batcher.add(call())
    parent = batcher._counters.producer_id
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        collector.open.set()
        batcher.add(call())
        result = batcher.flush(FLUSH_S)
        os.write(writer, f"{result.sent} {batcher._counters.producer_id != parent}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 100) == b"1 True"
    collector.open.set()
    assert batcher.flush(FLUSH_S).sent == 1


def failing(*_: Any, **__: Any) -> Any:
    raise RuntimeError


def accounted(batcher: Batcher[Call], result: FlushResult) -> bool:
    return batcher._counters.logged == result.sent + result.dropped + result.pending


BREAKABLE = {
    "counting the bytes": "llm_observe._call.Call.compact",
    "building a log": "llm_observe._log_builder._set_times",
    "converting": "llm_observe._log_builder.to_text",
    "redacting": "llm_observe.redaction.Redactor.redact_log",
    "making a batch": "llm_observe._batch_kind.BatchKind.new_request",
    "reporting the counters": "llm_observe._counters.DeliveryCounters.report",
    "delivering": "llm_observe._delivery.Delivery.deliver",
    "keeping in the spool": "llm_observe._spool_sender.SpoolSender.keep",
    "opening the spool": "llm_observe._spool.Spool.adopt",
}


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("part", BREAKABLE)
def test_every_log_is_accounted_for_when_an_internal_step_fails(part, error, monkeypatch, tmp_path):
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    batcher, collector = make(CONFIG._replace(spool_dir=str(tmp_path) if "spool" in part else ""))
    calls = [call() for _ in range(3)]
    with monkeypatch.context() as broken:
        broken.setattr(BREAKABLE[part], fail)
        for made in calls:
            with suppress(BaseException) if part == "counting the bytes" else nullcontext():
                batcher.add(made)
        result = batcher.flush(FLUSH_S)
    assert accounted(batcher, result)
    assert result.pending == 0
    assert batcher.dropped_counts() in ({"internal_error": 3}, {})
    batcher.add(call())  # the sender still works
    assert batcher.flush(FLUSH_S).sent == result.sent + 1
    assert accounted(batcher, batcher.shutdown(1))
    assert sum(len(request.logs) for request in collector.requests) == result.sent + 1


def test_a_sender_thread_that_failed_to_start_starts_with_the_next_call(monkeypatch):
    batcher, _ = make()
    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", failing)
        with pytest.raises(RuntimeError):
            batcher.add(call())
    assert accounted(batcher, batcher.flush(0))
    batcher.add(call())
    assert batcher.flush(FLUSH_S) == FlushResult(sent=2, dropped=0, pending=0)


@pytest.mark.usefixtures("swallowing")
def test_a_flush_and_a_shutdown_count_calls_although_no_thread_can_be_started(monkeypatch):
    batcher, _ = make()
    monkeypatch.setattr(threading.Thread, "start", failing)
    with pytest.raises(RuntimeError):
        batcher.add(call())
    assert batcher.flush(0) == FlushResult(sent=0, dropped=0, pending=1)
    assert batcher.shutdown(0) == FlushResult(sent=0, dropped=1, pending=0)


def test_there_is_one_sender_thread_although_the_start_of_the_first_was_interrupted(monkeypatch):
    batcher, _ = make()
    start, started = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)
        if len(started) == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as broken, batcher._lock:
        broken.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            batcher.add(call())
        batcher.add(call())
    started[0].join(FLUSH_S)
    assert [thread.is_alive() for thread in started] == [False, True]
    assert batcher.flush(FLUSH_S) == FlushResult(sent=2, dropped=0, pending=0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sender_thread_that_is_replaced_leaves_its_spool_to_the_next(monkeypatch, tmp_path, caplog):
    batcher, _ = make(CONFIG._replace(spool_dir=str(tmp_path)))
    batcher.add(call())
    batcher.flush(FLUSH_S)
    spool = batcher._spool
    with monkeypatch.context() as broken:
        broken.setattr(batcher, "_send_backlog", killed)
        batcher.add(call())
        wait_until(lambda: batcher._thread is None)
    batcher.add(call())
    assert batcher.flush(FLUSH_S) == FlushResult(sent=3, dropped=0, pending=0)
    assert batcher._spool is spool is not None
    assert caplog.messages == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sender_thread_that_was_killed_is_replaced_with_the_next_call(monkeypatch):
    batcher, _ = make()
    with monkeypatch.context() as broken:
        broken.setattr(batcher, "_send_backlog", killed)
        batcher.add(call())
        thread = batcher._thread
        assert thread is not None
        thread.join(FLUSH_S)
    assert not thread.is_alive()
    batcher.add(call())
    assert batcher.flush(FLUSH_S) == FlushResult(sent=2, dropped=0, pending=0)


def killed() -> None:
    raise SystemExit


def test_a_flush_ends_though_the_clock_stands_still(monkeypatch):
    batcher = Batcher(CONFIG, lambda *_: ExportResult(retry=True), to_log)
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    batcher.add(call())
    assert batcher.flush(0.05).pending == 1
    monkeypatch.undo()
    batcher.shutdown(0)


def test_a_raising_log_handler_does_not_stop_delivery():
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError

    def fragile(made: Call) -> Any:
        return to_log(made) if made.model == "m" else failing()

    collector = Collector()
    batcher = Batcher(CONFIG, collector, fragile)
    handler = Handler()
    _guard._last_reported.clear()
    _guard.logger.addHandler(handler)
    try:
        bad = call()
        bad.model = "bad"
        batcher.add(bad)
        batcher.add(call())
        assert batcher.flush(FLUSH_S) == FlushResult(sent=1, dropped=1, pending=0)
    finally:
        _guard.logger.removeHandler(handler)
