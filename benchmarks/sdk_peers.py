"""What LLM Observe, langfuse, OpenTelemetry and logfire add to a call of OpenAI's client, in one run.

python -m benchmarks.sdk_peers [CALLS] [FOLDER]

Each is installed from the package index, as it comes, in an environment of its own (in FOLDER, which keeps
them), and is measured there by peer_program.py: prompts and answers of an application over an in-memory
transport. The collector is up (answers each request), black-holed or down.
"""

from __future__ import annotations

import http.server
import json
import os
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from benchmarks.report import report
from benchmarks.sdk_overhead import running_collector
from benchmarks.vendors import make_answers, make_prompts
from stack.demo.provider_mock.openai import OPENAI
from tests.support.installed import Environment, install
from tests.support.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES: Final = {
    "llm_observe": ("grpcio", "protobuf"),
    "langfuse": ("langfuse",),
    "opentelemetry": (
        "opentelemetry-instrumentation-genai-openai", "opentelemetry-sdk", "opentelemetry-exporter-otlp",
    ),
    "logfire": ("logfire",),
}  # fmt: skip


class _Sink(http.server.BaseHTTPRequestHandler):
    """Takes whatever is sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def _http_endpoint(kind: str, grpc: str) -> Iterator[str]:
    """Yield where OTLP over HTTP goes: the port of the other collector does for those that never answer."""
    if kind != "up":
        yield f"http://{grpc}"
        return
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _measure(environment: Environment, kind: str, canned: Path, calls: int) -> Any:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "sdk")}
    with running_collector(kind) as grpc, _http_endpoint(kind, grpc) as endpoint:
        program = ROOT / "benchmarks/peer_program.py"
        arguments = (environment.name, endpoint, grpc, canned, str(calls))
        return json.loads(environment.run(program, *arguments, env=env).splitlines()[-1])


def _write_canned(path: Path) -> None:
    answers = make_answers(OPENAI)
    texts = {
        "prompts": make_prompts(),
        "whole": [answer.whole.decode() for answer in answers],
        "stream": [answer.stream.decode() for answer in answers],
    }
    path.write_text(json.dumps(texts), "utf-8")


def _compare(name: str, folder: Path, canned: Path, calls: int) -> Any:
    packages = ("openai", *_PACKAGES[name])
    try:
        environment = install(name, packages, folder)
    except pytest.skip.Exception as reason:
        return str(reason)
    figures = {kind: _measure(environment, kind, canned, calls) for kind in ("up", "black-holed", "down")}
    return {"versions": environment.versions(packages), **figures}


def main() -> None:
    given = sys.argv[1:]
    calls = int(given[0]) if given else 600
    with tempfile.TemporaryDirectory() as temporary:
        canned, folder = Path(temporary) / "canned.json", Path(given[1] if given[1:] else temporary)
        _write_canned(canned)
        figures = {name: _compare(name, folder, canned, calls) for name in _PACKAGES}
    report(benchmark="sdk_peers", calls=calls, **figures)


if __name__ == "__main__":
    main()
