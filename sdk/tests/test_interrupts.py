"""An interrupt may be raised in our code: KeyboardInterrupt, a time-out by a signal or one of gevent's.

The interpreter calls signal handlers where a function begins. A call that the server has answered is counted
nevertheless, once, and nothing is left locked.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import httpx2
import llm_observe
import pytest
from llm_observe import _runtime
from llm_observe._batcher import Batcher
from llm_observe._call import Call
from llm_observe._config import Config
from llm_observe._runtime import Runtime
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


ENDING = frozenset({"fail_request", "fail", "finish", "read_last_chunk", "submit", "add", "_start_thread"})
"""The functions that end a call. One that is interrupted before its first line has done nothing."""


def run_interrupted(work: Callable[[], object], has_begun: Callable[[], bool], number: int) -> bool:
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


def add_interrupted(batcher: Batcher[Call], number: int) -> bool:
    """Raise an interrupt after the nth function in C that queues a call; return whether there is one."""
    left = number

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        if event == "c_return" and frame.f_code.co_name in {"_enqueue", "compact", "_join_output"}:
            left -= 1
            if left == 0:
                sys.setprofile(None)
                raise Interrupt

    sys.setprofile(profile)
    try:
        batcher.add(Call("openai", "chat", "m", lambda _: None))
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
    """Signal handlers are called after functions in C, too."""
    number, had_function = 0, True
    while had_function:
        number += 1
        batcher = Batcher(
            Config(batch_delay_s=WAIT_S, queue_max_logs=most), Receiver().export, lambda _: Log()
        )
        batcher.add(Call("openai", "chat", "m", lambda _: None))
        had_function = add_interrupted(batcher, number)
        result = batcher.flush(WAIT_S)
        assert is_free(batcher._lock)
        assert (result.pending, result.sent + result.dropped) == (0, 2), (
            f"interrupted after function {number}"
        )
        batcher.shutdown(WAIT_S)
    assert number > 2
