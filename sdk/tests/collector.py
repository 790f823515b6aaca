"""A collector in this process, and programs that log to it from processes of their own."""

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
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, IngestLogsResponse

WAIT_S = 600
"""A program that runs for longer has failed; far above what any takes on a busy machine."""

PATIENT = {"exit_timeout_s": str(WAIT_S)}
"""A program that a test runs may take its time to deliver, unless the test says otherwise."""


class Collector(ingest_service_pb2_grpc.IngestServiceServicer):
    """Takes everything, and keeps it."""

    def __init__(self) -> None:
        self.requests: list[IngestLogsRequest] = []
        self.endpoint = ""
        self._lock = threading.Lock()

    def IngestLogs(self, request, context):  # noqa: N802 - gRPC names it
        with self._lock:
            self.requests.append(request)
        return IngestLogsResponse(accepted_log_count=len(request.logs))

    @property
    def models(self) -> list[str]:
        """The model of every log that came, in order."""
        with self._lock:
            return [log.model for request in self.requests for log in request.logs]

    def wait_for(self, count: int) -> list[str]:
        """Return the models once so many logs have come; the test's own time-out ends a vain wait."""
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
    """Start a program that logs; ``log(model)`` is there for it."""
    prelude = (
        "import os, signal, sys, time, llm_observe\n"
        "def log(model='m'): llm_observe.log(provider='p', model=model)\n"
    )
    variables = {f"LLM_OBSERVE_{name.upper()}": value for name, value in {**PATIENT, **settings}.items()}
    return subprocess.Popen(
        [sys.executable, "-c", prelude + code],
        env={**os.environ, "LLM_OBSERVE_ENDPOINT": endpoint, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code: str, endpoint: str, **settings: str) -> tuple[int, str]:
    """Run a program to its end; returns its status and what it said on stderr."""
    process = start(code, endpoint, **settings)
    _, errors = process.communicate(timeout=WAIT_S)
    return process.returncode, errors
