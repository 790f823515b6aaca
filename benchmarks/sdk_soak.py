"""Wrapped clients in 50 threads for ten minutes, while the collector goes down and up again.

python -m benchmarks.sdk_soak [SECONDS]

Every call is accounted for in the end (sent + dropped = logged, and the collector has what was sent), and the
resident set does not grow once everything is loaded.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent import futures
from typing import Any, Final

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

_THREADS: Final = 50
_PAUSE_S: Final = 0.15
"""Between two calls of a thread: together they make some 300 calls a second."""
_PHASE_S: Final = 20.0
"""How long the collector stays up or down."""


class _Collector(IngestServiceServicer):
    """Counts logs by id, as the server does: a batch may arrive twice."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: grpc.Server | None = None
        self.seen: set[bytes] = set()

    def IngestLogs(self, request: IngestLogsRequest, context: Any) -> IngestLogsResponse:  # noqa: N802, ARG002 - gRPC's signature
        self.seen.update(bytes.fromhex(log.log_id.replace("-", "")) for log in request.logs)
        return IngestLogsResponse(accepted_log_count=len(request.logs))

    def start(self) -> None:
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        add_IngestServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(0).wait()


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
        sizes.append(_own_mb(process, collector))
        collector.stop()
        time.sleep(_PHASE_S)
    end.set()
    for thread in threads:
        thread.join()
    collector.start()
    result = llm_observe.flush(60)
    collector.stop()
    return {
        "seconds": round(time.monotonic() - began),
        "logged": sum(counts),
        "sent": result.sent,
        "dropped": result.dropped,
        "pending": result.pending,
        "received": len(collector.seen),
        "accounted": result.sent + result.dropped == sum(counts) and len(collector.seen) == result.sent,
        "memory_mb": sizes,
    }


def _own_mb(process: psutil.Process, collector: _Collector) -> float:
    """Return the resident set, less what the collector in this process keeps."""
    kept = sys.getsizeof(collector.seen) + len(collector.seen) * sys.getsizeof(b"\0" * 16)
    return round((process.memory_info().rss - kept) / 1e6, 1)


def main() -> None:
    report(benchmark="sdk_soak", threads=_THREADS, **_run(float(sys.argv[1]) if len(sys.argv) > 1 else 600))


if __name__ == "__main__":
    main()
