"""A signal handler or a finalizer may use the queue while its thread is anywhere inside the queue's code."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import llm_observe
import pytest
from llm_observe import _runtime
from llm_observe._batcher import Batcher
from llm_observe._call import Call
from llm_observe._config import Config
from llm_observe.exporter import ExportResult
from llm_observe.v1.log_pb2 import Log

WAIT_S = 60.0
USES: dict[str, Callable[[Batcher[Call]], object]] = {
    "add": lambda batcher: batcher.add(Call("openai", "chat", "m", lambda _: None)),
    "flush": lambda batcher: batcher.flush(0),
}


def make() -> Batcher[Call]:
    return Batcher(
        Config(endpoint="x:1", batch_delay_s=0.01),
        lambda request, _: ExportResult(accepted=len(request.logs)),
        lambda _: Log(),
    )


def run_interrupted(
    use: Callable[[], object], interrupt: Callable[[], object], line: int, file: str = ""
) -> bool:
    """Interrupt a use before its nth line, of those in a file; return whether it has as many."""
    left = line

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if event == "line" and frame.f_code.co_filename.endswith(file):
            left -= 1
            if left == 0:
                sys.settrace(None)
                interrupt()
        return trace

    sys.settrace(trace)
    try:
        use()
    finally:
        sys.settrace(None)
    return left <= 0


@pytest.mark.parametrize("interrupt", USES)
@pytest.mark.parametrize("use", USES)
def test_no_use_of_the_queue_waits_for_itself(use, interrupt):
    line, had_line = 0, [True]
    while had_line.pop():
        line += 1
        batcher = make()

        def work(batcher=batcher, line=line):
            had_line.append(
                run_interrupted(lambda: USES[use](batcher), lambda: USES[interrupt](batcher), line)
            )

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(WAIT_S)
        assert not thread.is_alive(), f"{interrupt} hangs before line {line} of {use}"
        result = batcher.shutdown(WAIT_S)
        assert (result.dropped, result.pending) == (0, 0)
        assert result.sent == (use == "add") + (interrupt == "add" and had_line[0])
    assert line > 1


class Receiver:
    def __init__(self) -> None:
        self.received = 0

    def export(self, request: Any, _timeout_s: float) -> ExportResult:
        self.received += len(request.logs)
        return ExportResult(accepted=len(request.logs))


@pytest.fixture
def receiver(monkeypatch) -> Iterator[Receiver]:
    """Receives what is logged, whatever the settings."""
    receiver = Receiver()
    original = _runtime.Runtime
    monkeypatch.setattr(_runtime, "Runtime", lambda config, _=None: original(config, receiver))
    yield receiver
    llm_observe.shutdown(WAIT_S)


def log() -> None:
    llm_observe.log(provider="p", model="m")


@pytest.mark.parametrize("use", [log, llm_observe.configure])
def test_a_call_may_be_logged_while_the_sender_is_made(use, receiver, monkeypatch):
    line, had_line, expected = 0, [True], 0
    while had_line.pop():
        line += 1
        monkeypatch.setattr(_runtime, "_runtime", None)

        def work(line=line):
            had_line.append(run_interrupted(use, log, line, "_runtime.py"))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(WAIT_S)
        assert not thread.is_alive(), f"hangs before line {line}"
        llm_observe.flush(WAIT_S)
        expected += (use is log) + had_line[0]
        assert receiver.received == expected, f"interrupted before line {line}"
    assert line > 1


@pytest.mark.parametrize("setting", ["many", "7"])
def test_a_logging_handler_may_make_a_call(setting, receiver, monkeypatch):
    """An invalid setting is reported once, and so is that there is no endpoint."""
    monkeypatch.setattr(_runtime, "_runtime", None)
    monkeypatch.setenv("LLM_OBSERVE_QUEUE_MAX_LOGS", setting)
    reports: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reports.append(record.getMessage())
            log()

    logger, handler = logging.getLogger("llm_observe"), Handler()
    logger.addHandler(handler)
    try:
        log()
    finally:
        logger.removeHandler(handler)
    assert len(reports) == (setting == "many")
    llm_observe.flush(WAIT_S)
    assert receiver.received == 1 + len(reports)
