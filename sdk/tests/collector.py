"""A collector in this process, and programs in other processes that log to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc
from llm_observe.v1 import ingest_service_pb2_grpc
from llm_observe.v1.ingest_service_pb2 import (
    IngestLogsRequest,
    IngestLogsResponse,
    IngestSpansRequest,
    IngestSpansResponse,
)

WAIT_S = 600
"""A program that runs longer has failed; no program needs this long, even on a busy machine."""

PROGRAM_SETTINGS = {"exit_timeout_s": str(WAIT_S)}
"""Programs may take as long as they need to deliver at exit, unless a test sets another limit."""


class Collector(ingest_service_pb2_grpc.IngestServiceServicer):
    """Accepts and keeps every request."""

    def __init__(self) -> None:
        self.requests: list[IngestLogsRequest] = []
        self.span_requests: list[IngestSpansRequest] = []
        self.endpoint = ""
        self._lock = threading.Lock()

    def IngestLogs(self, request, context):  # noqa: N802 - gRPC names it
        with self._lock:
            self.requests.append(request)
        return IngestLogsResponse(accepted_log_count=len(request.logs))

    def IngestSpans(self, request, context):  # noqa: N802 - as above
        with self._lock:
            self.span_requests.append(request)
        return IngestSpansResponse(accepted_span_count=len(request.spans))

    @property
    def span_names(self) -> list[str]:
        """The name of every received span, in order."""
        with self._lock:
            return [span.name for request in self.span_requests for span in request.spans]

    @property
    def models(self) -> list[str]:
        """The model of every received log, in order."""
        with self._lock:
            return [log.model for request in self.requests for log in request.logs]

    def wait_for(self, count: int) -> list[str]:
        """Wait for ``count`` logs and return their models; only the test's own timeout ends the wait."""
        while len(self.models) < count:
            time.sleep(0.02)
        return self.models


@contextmanager
def running_collector(port: int = 0) -> Iterator[Collector]:
    """Serve a collector on loopback while the context lasts."""
    collector = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(collector, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    collector.endpoint = f"127.0.0.1:{port}"
    try:
        yield collector
    finally:
        server.stop(0).wait()


def start(code: str, endpoint: str, **settings: str) -> subprocess.Popen[str]:
    """Start a program that logs; it may call ``log(model)``."""
    prelude = (
        "import os, signal, sys, time, llm_observe\n"
        "def log(model='m'): llm_observe.log(provider='p', model=model)\n"
    )
    variables = {
        f"LLM_OBSERVE_{name.upper()}": value for name, value in {**PROGRAM_SETTINGS, **settings}.items()
    }
    return subprocess.Popen(
        [sys.executable, "-c", prelude + code],
        env={**os.environ, "LLM_OBSERVE_ENDPOINT": endpoint, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code: str, endpoint: str, **settings: str) -> tuple[int, str]:
    """Run a program to its end; return its exit status and its output on stderr."""
    process = start(code, endpoint, **settings)
    _, errors = process.communicate(timeout=WAIT_S)
    return process.returncode, errors
