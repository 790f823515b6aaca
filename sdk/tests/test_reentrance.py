"""A signal handler or a finalizer may use the queue while its thread is anywhere inside the queue's code."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
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


def run_interrupted(use: Callable[[], object], interrupt: Callable[[], object], line: int) -> bool:
    """Interrupt a use before its nth line; return whether it has as many."""
    left = line

    def trace(_frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if event == "line":
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
