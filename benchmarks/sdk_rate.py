"""Whether a busy process loses logs: 2,000 calls a second for a minute, the collector up.

python -m benchmarks.sdk_rate [SECONDS] [CALLS_PER_SECOND]

One thread makes the calls through ``log()``: the official clients need a millisecond of CPU for each. Prompts
and answers are those of an application, many texts, of which one call in ten has something to redact. Counts
what was logged, sent and dropped, and the CPU time of the process for a call.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import grpc
import llm_observe

from benchmarks.report import report
from benchmarks.vendors import make_prompts
from stack import processes
from tests.support.ports import free_port

_TICK_S: Final = 0.01
_START_S: Final = 60


def _call(prompt: str, answer: str) -> None:
    llm_observe.log(
        provider="openai",
        model="m",
        input_text=prompt,
        output_text=answer,
        latency_s=0.8,
        input_tokens=80,
        output_tokens=70,
        finish_reason="stop",
    )


def _run(seconds: float, rate: float) -> dict[str, Any]:
    """Make so many calls a second. A tick that comes late makes the calls that it owes."""
    prompts, answers = cycle(make_prompts()), cycle(make_prompts()[::-1])
    began, made, own_ns = time.monotonic(), 0, time.thread_time_ns()
    process_ns = time.process_time_ns()
    while (elapsed := time.monotonic() - began) < seconds:
        while made < elapsed * rate:
            _call(next(prompts), next(answers))
            made += 1
        time.sleep(_TICK_S)
    own_ns = time.thread_time_ns() - own_ns
    result = llm_observe.flush(30)
    process_ns = time.process_time_ns() - process_ns
    return {
        "seconds": round(elapsed, 1),
        "calls_per_second": round(made / elapsed),
        "logged": made,
        "sent": result.sent,
        "dropped": result.dropped,
        "pending": result.pending,
        "thread_us_per_call": round(own_ns / 1000 / made, 1),
        "background_us_per_call": round((process_ns - own_ns) / 1000 / made, 1),
    }


def main() -> None:
    given = [float(value) for value in sys.argv[1:]]
    seconds, rate = (*given, *(60.0, 2000.0)[len(given) :])
    port = free_port()
    server = processes.start(
        [sys.executable, "-m", "benchmarks.echo_server", str(port)], log=Path(os.devnull), env=os.environ
    )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(_START_S)
        llm_observe.configure(endpoint=f"127.0.0.1:{port}")
        report(benchmark="sdk_rate", **_run(seconds, rate))
    finally:
        processes.stop(server, signal.SIGTERM, 5)


if __name__ == "__main__":
    main()
