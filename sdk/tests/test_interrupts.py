"""An interrupt may be raised in our code: KeyboardInterrupt, a time-out by a signal or one of gevent's.

The interpreter calls signal handlers where a function begins. A call that the server has answered is counted
nevertheless, once, and nothing is left locked.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from types import FrameType
from typing import Any

import httpx2
import llm_observe
import pytest
from llm_observe import _runtime
from llm_observe._batcher import Batcher
from llm_observe._call import CANCELLED, Call
from llm_observe._config import Config
from llm_observe._runtime import Runtime
from llm_observe._session import current_session
from llm_observe._span import Span
from llm_observe.exporter import ExportResult
from llm_observe.v1.log_pb2 import Log
from vendor_wire import Anthropic, Gemini, OpenAI

WAIT_S = 60.0
OURS = str(Path(llm_observe.__file__).parent)


class Interrupt(BaseException):
    """What a signal handler raises."""


class Receiver:
    def export(self, request: Any, _timeout_s: float) -> ExportResult:
        return ExportResult(accepted=len(request.logs))

    def export_spans(self, request: Any, _timeout_s: float) -> ExportResult:
        return ExportResult(accepted=len(request.spans))


ENDING = frozenset(
    {"fail_request", "fail", "finish", "read_last_chunk", "submit", "submit_span", "add", "_start_thread"}
)
"""The functions that end a call. One that is interrupted before its first line has done nothing."""


def run_interrupted(work: Callable[[], object], has_begun: Callable[[], object], number: int) -> bool:
    """Raise an interrupt where the nth of our functions begins, of those after the request was sent.

    Returns:
        Whether that many begin.
    """
    left = number

    def trace(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        code = frame.f_code
        is_ours = code.co_filename.startswith(OURS) and code.co_name not in ENDING
        if event == "call" and is_ours and has_begun():
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise Interrupt

    sys.settrace(trace)
    try:
        work()
    except Interrupt:
        pass
    finally:
        sys.settrace(None)
    return left <= 0


QUEUEING = frozenset({"take_in", "_enqueue", "compact", "_join_output"})


def run_interrupted_in(functions: frozenset[str], work: Callable[[], object], number: int) -> bool:
    """Raise an interrupt after the nth function in C that some of ours call; return whether there is one.

    The interpreter calls signal handlers there, too.
    """
    left = number

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        code = frame.f_code
        if event == "c_return" and code.co_filename.startswith(OURS) and code.co_name in functions:
            left -= 1
            if left == 0:
                sys.setprofile(None)
                raise Interrupt

    sys.setprofile(profile)
    try:
        work()
    except Interrupt:
        pass
    finally:
        sys.setprofile(None)
    return left <= 0


def plain(vendor: Any) -> None:
    vendor.ask(vendor.client)


def failed(vendor: Any) -> None:
    vendor.wire.ending = "error"
    with pytest.raises(vendor.error):
        plain(vendor)


class Counted:
    """A server that counts the requests."""

    def __init__(self, answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
        self.requests = 0
        self._answer = answer

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        return self._answer(request)

    def was_asked(self) -> bool:
        return self.requests > 0


def as_method(server: Counted) -> Any:
    return lambda _, request: server(request)


def is_free(lock: Any) -> bool:
    """Return whether another thread can have a lock."""
    got: list[bool] = []

    def take() -> None:
        got.append(lock.acquire(timeout=WAIT_S))
        lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return got[0]


@pytest.mark.parametrize("use", [plain, failed])
@pytest.mark.parametrize("make", [OpenAI, Anthropic, Gemini])
def test_a_call_that_is_interrupted_is_counted(make, use, monkeypatch):
    number, had_function = 0, True
    while had_function:
        number += 1
        runtime = Runtime(Config(batch_delay_s=0.001), Receiver())
        monkeypatch.setattr(_runtime, "_runtime", runtime)
        vendor = make()
        server = Counted(vendor.wire.__call__)
        monkeypatch.setattr(type(vendor.wire), "__call__", as_method(server))
        had_function = run_interrupted(functools.partial(use, vendor), server.was_asked, number)
        monkeypatch.undo()
        result = runtime.flush(WAIT_S)
        counters = runtime._batcher._counters
        assert is_free(counters.lock)
        assert (result.pending, result.sent + result.dropped) == (0, counters.logged)
        assert counters.logged == 1, f"{counters.logged} logs, interrupted in function {number}"
        runtime.shutdown(WAIT_S)


@pytest.mark.parametrize("most", [1, 10])
def test_a_call_is_queued_or_dropped_if_its_thread_is_interrupted(most):
    number, had_function = 0, True
    while had_function:
        number += 1
        batcher: Batcher[Call] = Batcher(
            Config(batch_delay_s=WAIT_S, queue_max_logs=most), Receiver().export, lambda _: Log()
        )
        first, second = (Call("openai", "chat", "m", lambda _: None) for _ in range(2))
        batcher.add(first)
        batcher.add(second)
        had_function = run_interrupted_in(QUEUEING, batcher.dropped_counts, number)
        result = batcher.flush(WAIT_S)
        assert is_free(batcher._lock)
        assert (result.pending, result.sent + result.dropped) == (0, 2), (
            f"interrupted after function {number}"
        )
        batcher.shutdown(WAIT_S)
    assert number > 2


ENDED: dict[str, Callable[[list[Any]], Any]] = {
    "call": lambda ended: Call("openai", "chat", "m", ended.append),
    "span": lambda ended: Span("chain", "step", current_session(), None, ended.append),
}


@pytest.mark.parametrize("kind", ENDED)
def test_what_ends_is_passed_on_with_its_outcome_if_its_thread_is_interrupted(kind):
    number, had_function = 0, True
    while had_function:
        number += 1
        ended: list[Any] = []
        work = functools.partial(ENDED[kind](ended).finish, CANCELLED)
        had_function = run_interrupted_in(frozenset({"finish"}), work, number)
        assert [each.outcome for each in ended] == [CANCELLED], f"interrupted after function {number}"
    assert number > 1


def function(ended: list[bool]) -> Any:
    def answer() -> str:
        ended.append(True)
        return "text"

    return answer


def coroutine_function(ended: list[bool]) -> Any:
    async def answer() -> str:
        ended.append(True)
        return "text"

    return answer


def run(function: Any) -> None:
    result = function()
    if inspect.iscoroutine(result):
        with pytest.raises(StopIteration):
            result.send(None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # an interrupt of a finalizer
@pytest.mark.parametrize("options", [{"provider": "p", "model": "m"}, {"operation": "chain"}])
@pytest.mark.parametrize("make", [function, coroutine_function])
def test_an_observed_function_that_is_interrupted_after_its_end_is_counted(make, options, monkeypatch):
    number, had_function = 0, True
    while had_function:
        number += 1
        runtime = Runtime(Config(batch_delay_s=0.001), Receiver())
        monkeypatch.setattr(_runtime, "_runtime", runtime)
        ended: list[bool] = []
        observed = llm_observe.observe(**options)(make(ended))
        work = functools.partial(run, observed)
        # In a context of its own: an interrupt may come before a span is left.
        had_function = copy_context().run(run_interrupted, work, ended.__len__, number)
        assert sum(runtime.shutdown(WAIT_S)) == 1, f"interrupted in function {number}"
    assert number > 2
