"""The CPU time that wrapping adds to a call on the application's thread.

python -m benchmarks.sdk_overhead [calls]

The same process alternates blocks of bare and wrapped calls of each official client over an in-memory
transport, and compares the CPU time of the calling thread (time.thread_time_ns); the figure is the median of
the differences between neighbouring blocks. The collector is up (a real gRPC server that answers at once),
black-holed (accepts connections and never answers) or down (a closed port). The background is all other
threads, redaction included. The resident set is that of a process of its own, whose collector is down.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import socket
import statistics
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import llm_observe
import psutil

from benchmarks.report import report
from benchmarks.vendors import VENDORS, Vendor
from stack import processes
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BLOCK = 5
_WARM_UP = 500


def _block(vendor: Vendor, client: Any, *, stream: bool) -> float:
    """Return CPU microseconds per call of the calling thread."""
    begin = time.thread_time_ns()
    for _ in range(_BLOCK):
        vendor.call(client, stream=stream)
    return (time.thread_time_ns() - begin) / 1000 / _BLOCK


def _ablock(loop: asyncio.AbstractEventLoop, vendor: Vendor, client: Any, *, stream: bool) -> float:
    async def run() -> None:
        for _ in range(_BLOCK):
            await vendor.acall(client, stream=stream)

    begin = time.thread_time_ns()
    loop.run_until_complete(run())
    return (time.thread_time_ns() - begin) / 1000 / _BLOCK


def _compare(measure: Callable[[bool], float], calls: int) -> dict[str, float]:
    """Alternate bare and wrapped blocks after a warm-up; each goes first every other time."""
    for on in (False, True):
        measure(on)
    bare, added = [], []
    for number in range(max(8, calls // _BLOCK)):
        first = number % 2 == 0
        one, two = measure(not first), measure(first)
        plain, wrapped = (one, two) if first else (two, one)
        bare.append(plain)
        added.append(wrapped - plain)
    return {"bare_us": round(statistics.median(bare), 1), "added_us": round(statistics.median(added), 1)}


def _measure(vendor: Vendor, calls: int) -> dict[str, Any]:
    sync = {False: vendor.client(), True: llm_observe.wrap(vendor.client())}
    asyn = {False: vendor.aclient(), True: llm_observe.wrap(vendor.aclient())}
    loop = asyncio.new_event_loop()
    figures = {
        "sync plain": _compare(lambda on: _block(vendor, sync[on], stream=False), calls),
        "sync stream of 50": _compare(lambda on: _block(vendor, sync[on], stream=True), calls // 3),
        "async plain": _compare(lambda on: _ablock(loop, vendor, asyn[on], stream=False), calls),
        "async stream of 50": _compare(lambda on: _ablock(loop, vendor, asyn[on], stream=True), calls // 3),
    }
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    return figures


@contextmanager
def running_collector(kind: str) -> Iterator[str]:
    """Yield the endpoint of a collector that is up, black-holed or down."""
    port = free_port()
    if kind == "up":
        server = processes.start(
            [sys.executable, "-m", "benchmarks.echo_server", str(port)], log=Path(os.devnull), env=os.environ
        )
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=60)
            yield f"127.0.0.1:{port}"
        finally:
            processes.stop(server, signal.SIGTERM, 5)
    elif kind == "black-holed":
        with socket.create_server(("127.0.0.1", port), backlog=100):
            yield f"127.0.0.1:{port}"
    else:
        yield f"127.0.0.1:{port}"


def _background_us(vendor: Vendor, calls: int) -> float:
    """CPU microseconds per call of all other threads, including the flush."""
    client = llm_observe.wrap(vendor.client())
    process, thread = time.process_time_ns(), time.thread_time_ns()
    for _ in range(calls):
        vendor.call(client, stream=False)
    llm_observe.flush(10)
    others = (time.process_time_ns() - process) - (time.thread_time_ns() - thread)
    return round(others / 1000 / calls, 1)


def _growth_mb(calls: int) -> dict[str, float]:
    """Growth of the resident set in MB over many calls that no collector accepts, and how many are lost."""
    vendor, process = VENDORS[0], psutil.Process()
    llm_observe.configure(endpoint=f"127.0.0.1:{free_port()}", exit_timeout_s=0.5)
    client = llm_observe.wrap(vendor.client())
    for _ in range(_WARM_UP):
        vendor.call(client, stream=False)
    gc.collect()
    before = process.memory_info().rss
    for _ in range(calls):
        vendor.call(client, stream=False)
    grown = round((process.memory_info().rss - before) / 1e6, 1)
    return {"calls": calls, "rss_growth_mb": grown, "dropped": llm_observe.shutdown(0.5).dropped}


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 900
    figures: dict[str, Any] = {}
    for kind in ("up", "black-holed", "down"):
        with running_collector(kind) as endpoint:
            llm_observe.configure(endpoint=endpoint, exit_timeout_s=0.5)
            figures[kind] = {vendor.name: _measure(vendor, calls) for vendor in VENDORS}
            if kind == "up":
                figures["background_us_per_call"] = {
                    vendor.name: _background_us(vendor, calls) for vendor in VENDORS
                }
            llm_observe.shutdown(0.5)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        figures["memory"] = pool.apply(_growth_mb, (50_000,))
    report(benchmark="sdk_overhead", calls=calls, **figures)


if __name__ == "__main__":
    main()
