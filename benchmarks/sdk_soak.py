"""Wrapped clients in 50 threads for ten minutes, while the collector goes down and up again.

python -m benchmarks.sdk_soak [SECONDS]

Every call is accounted for in the end (sent + dropped = logged, and the collector has what was sent), and the
resident set does not grow once everything is loaded. The collector is a process of its own: each of its gRPC
servers leaves memory behind.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from concurrent import futures
from typing import TYPE_CHECKING, Any, Final

import grpc
import llm_observe
import psutil
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, IngestLogsResponse
from llm_observe.v1.ingest_service_pb2_grpc import (
    IngestServiceServicer,
    add_IngestServiceServicer_to_server,
)

from benchmarks.report import report
from benchmarks.vendors import VENDORS, Vendor
from tests.support.ports import free_port

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_THREADS: Final = 50
_PAUSE_S: Final = 0.15
"""Between two calls of a thread: together they make some 300 calls a second."""
_PHASE_S: Final = 20.0
"""How long the collector stays up or down."""


class _Servicer(IngestServiceServicer):
    """Counts logs by id, as the server does: a batch may arrive twice."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def IngestLogs(self, request: IngestLogsRequest, context: Any) -> IngestLogsResponse:  # noqa: N802, ARG002 - gRPC's signature
        self.seen.update(log.log_id for log in request.logs)
        return IngestLogsResponse(accepted_log_count=len(request.logs))


def _serve(port: int, commands: Connection) -> None:
    """Start and stop the collector as told, until told to end; answer each command with the logs seen."""
    servicer, server = _Servicer(), None  # type: ignore[abstract] # spans are not sent
    while (command := commands.recv()) != "end":
        if command == "start":
            server = grpc.server(futures.ThreadPoolExecutor(2))
            add_IngestServiceServicer_to_server(servicer, server)
            server.add_insecure_port(f"127.0.0.1:{port}")
            server.start()
        elif server is not None:
            server.stop(0).wait()
        commands.send(len(servicer.seen))


class _Collector:
    """The collector's process."""

    def __init__(self, port: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._commands, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(port, theirs))
        self._process.start()

    def start(self) -> int:
        """Accept logs; return how many different ones have come."""
        return self._do("start")

    def stop(self) -> int:
        """Accept no more; return how many different ones have come."""
        return self._do("stop")

    def _do(self, command: str) -> int:
        self._commands.send(command)
        return int(self._commands.recv())

    def end(self) -> None:
        """End the process."""
        self._commands.send("end")
        self._process.join()


def _call_until(end: threading.Event, vendor: Vendor, client: Any, counts: list[int], number: int) -> None:
    while not end.wait(_PAUSE_S):
        vendor.call(client, stream=bool(counts[number] % 2))
        counts[number] += 1


def _run(seconds: float) -> dict[str, Any]:
    port = free_port()
    collector = _Collector(port)
    llm_observe.configure(endpoint=f"127.0.0.1:{port}")
    clients = [(vendor, llm_observe.wrap(vendor.client())) for vendor in VENDORS]
    end, counts = threading.Event(), [0] * _THREADS
    threads = [
        threading.Thread(target=_call_until, args=(end, *clients[number % len(clients)], counts, number))
        for number in range(_THREADS)
    ]
    for thread in threads:
        thread.start()
    process, sizes, began = psutil.Process(), [], time.monotonic()
    while time.monotonic() - began < seconds:
        collector.start()
        time.sleep(_PHASE_S)
        sizes.append(_resident_mb(process))
        collector.stop()
        time.sleep(_PHASE_S)
    end.set()
    for thread in threads:
        thread.join()
    collector.start()
    result = llm_observe.flush(60)
    received = collector.stop()
    collector.end()
    return {
        "seconds": round(time.monotonic() - began),
        "logged": sum(counts),
        "sent": result.sent,
        "dropped": result.dropped,
        "pending": result.pending,
        "received": received,
        "accounted": result.sent + result.dropped == sum(counts) and received == result.sent,
        "memory_mb": sizes,
    }


def _resident_mb(process: psutil.Process) -> float:
    return round(process.memory_info().rss / 1e6, 1)


def main() -> None:
    report(benchmark="sdk_soak", threads=_THREADS, **_run(float(sys.argv[1]) if len(sys.argv) > 1 else 600))


if __name__ == "__main__":
    main()
