"""No process is forked while one of its threads is inside gRPC: the child could never send a log."""

from __future__ import annotations

import os
import threading
from typing import Any

from collector import WAIT_S, Collector, running_collector, start
from llm_observe._fork_barrier import ForkBarrier


class Calls:
    """A call in a thread that lasts until it is interrupted."""

    def __init__(self) -> None:
        self.begun, self.interrupted = threading.Event(), threading.Event()
        self.barrier = ForkBarrier(self.interrupt)
        self.running = 0
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.begun.wait()

    def _run(self) -> None:
        with self.barrier.call():
            self.running += 1
            self.begun.set()
            self.interrupted.wait()
            self.running -= 1

    def interrupt(self) -> None:
        self.interrupted.set()


def test_a_fork_interrupts_the_calls_and_waits_until_they_have_ended():
    calls = Calls()
    pid = os.fork()
    if pid == 0:
        with calls.barrier.call():
            os._exit(calls.running)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    calls.thread.join()
    with calls.barrier.call():  # the parent goes on
        pass


def test_a_call_waits_until_a_fork_is_done():
    calls = Calls()
    order = []

    def call() -> None:
        with calls.barrier.call():
            order.append("call")

    calls.barrier._before_fork()
    later = threading.Thread(target=call)
    later.start()
    order.append("fork")
    calls.barrier._resume()
    later.join()
    assert order == ["fork", "call"]


def test_a_child_that_is_forked_while_its_parent_sends_has_its_logs_sent(monkeypatch):
    entered, answer = threading.Event(), threading.Event()
    accept = Collector.IngestLogs

    def answer_later(self: Collector, request: Any, context: Any) -> Any:
        if not entered.is_set():
            entered.set()
            answer.wait()
        return accept(self, request, context)

    monkeypatch.setattr(Collector, "IngestLogs", answer_later)
    code = (
        "log('parent'); sys.stdin.readline()\nif os.fork() == 0:\n    log('child'); sys.exit(0)\nos.wait()\n"
    )
    with running_collector() as collector:
        process = start(code, collector.endpoint, batch_delay_s="0.01", export_timeout_s=str(WAIT_S))
        entered.wait()
        try:
            _, errors = process.communicate("\n", timeout=WAIT_S)
        finally:
            answer.set()
        assert (process.returncode, errors) == (0, "")
        assert set(collector.models) == {"parent", "child"}
