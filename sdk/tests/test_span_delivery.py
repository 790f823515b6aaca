"""Spans reach the collector or are counted as dropped, and never hold up a call."""

from __future__ import annotations

import threading
from concurrent import futures
from typing import Any

import grpc
import llm_observe
import pytest
from collector import WAIT_S, run, running_collector
from llm_observe import _runtime
from llm_observe.v1.ingest_service_pb2 import IngestLogsResponse

SPANS = "\nwith llm_observe.observe(operation='chain', name='outer'):\n log()\n"
DIE = "os.kill(os.getpid(), signal.SIGTERM); time.sleep(600)"
WAIT_FOR_FILES = """
from pathlib import Path
while len(list(Path(os.environ["LLM_OBSERVE_SPOOL_DIR"]).rglob("*.batch"))) < 2:
    time.sleep(0.02)
"""
FORK = """
with llm_observe.observe(operation='chain', name='outer'):
    pid = os.fork()
    with llm_observe.observe(operation='chain', name='child' if pid == 0 else 'parent'):
        log()
    if pid:
        os.waitpid(pid, 0)
    else:
        llm_observe.flush(600)
        os._exit(0)
"""


@pytest.fixture
def runtime(monkeypatch):
    """Give the process a runtime of its own, and take it away."""
    monkeypatch.setattr(_runtime, "_runtime", None)
    yield
    llm_observe.shutdown(5)


def make_spans(count: int) -> None:
    for _ in range(count):
        with llm_observe.observe(operation="chain"):
            pass


def test_spans_and_calls_arrive_and_are_counted(runtime):
    with running_collector() as collector:
        llm_observe.configure(endpoint=collector.endpoint)
        make_spans(1200)
        llm_observe.log(provider="p", model="m")
        assert llm_observe.flush(WAIT_S) == (1201, 0, 0)
        assert len(collector.span_names) == 1200
        assert max(len(request.spans) for request in collector.span_requests) <= 500


@pytest.mark.parametrize("ending", ["", DIE, "sys.exit(3)"])
def test_spans_arrive_however_the_process_ends(ending):
    with running_collector() as collector:
        run(SPANS + ending, collector.endpoint)
        assert (collector.span_names, collector.models) == (["outer"], ["m"])


def test_a_span_that_is_open_at_the_end_arrives():
    with running_collector() as collector:
        run(f"{SPANS} {DIE}", collector.endpoint)
        assert collector.span_names == ["outer"]


def test_a_fork_inside_a_span_sends_each_once():
    with running_collector() as collector:
        run(FORK, collector.endpoint)
        assert sorted(collector.span_names) == ["child", "outer", "parent"]
        spans = {span.name: span for request in collector.span_requests for span in request.spans}
        assert spans["child"].parent_span_id == spans["parent"].parent_span_id == spans["outer"].span_id


def test_spans_survive_in_the_spool_and_beside_it_logs(tmp_path):
    spool = str(tmp_path / "spool")
    status, errors = run(SPANS + WAIT_FOR_FILES, "127.0.0.1:1", spool_dir=spool, exit_timeout_s="0.5")
    assert status == 0
    assert errors.endswith("0 logs sent, 0 dropped, 2 kept in the spool\n")
    with running_collector() as collector:
        run(SPANS.replace("outer", "next") + "llm_observe.flush(600)", collector.endpoint, spool_dir=spool)
        assert (sorted(collector.span_names), collector.models) == (["next", "outer"], ["m", "m"])


class OldServer:
    """A server of a version that knows no spans."""

    def __init__(self) -> None:
        self.logs: list[Any] = []
        handler: Any = grpc.unary_unary_rpc_method_handler(
            self._take, response_serializer=IngestLogsResponse.SerializeToString
        )
        service = grpc.method_handlers_generic_handler(
            "llm_observe.v1.IngestService", {"IngestLogs": handler}
        )
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        self.server.add_generic_rpc_handlers((service,))
        self.endpoint = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def _take(self, request: bytes, _context: object) -> IngestLogsResponse:
        self.logs.append(request)
        return IngestLogsResponse(accepted_log_count=1)


def test_a_server_that_knows_no_spans_still_gets_the_logs(runtime):
    old = OldServer()
    try:
        llm_observe.configure(endpoint=old.endpoint)
        llm_observe.log(provider="p", model="m")
        make_spans(3)
        assert llm_observe.flush(WAIT_S) == (1, 3, 0)
        assert len(old.logs) == 1
    finally:
        llm_observe.shutdown(1)
        old.server.stop(0).wait()


class Receiver:
    """An application's own exporter of logs."""

    def __init__(self) -> None:
        self.logs: list[Any] = []

    def export(self, request: Any, timeout_s: float) -> llm_observe.ExportResult:
        self.logs += request.logs
        return llm_observe.ExportResult(accepted=len(request.logs))


class SpanReceiver(Receiver):
    """One that takes spans, too, and may be slow with them."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[Any] = []
        self.may_go_on = threading.Event()

    def export_spans(self, request: Any, timeout_s: float) -> llm_observe.ExportResult:
        self.may_go_on.wait(WAIT_S)
        self.spans += request.spans
        return llm_observe.ExportResult(accepted=len(request.spans))


def test_an_exporter_of_logs_alone_records_no_spans_but_their_trace(runtime):
    exporter = Receiver()
    llm_observe.configure(exporter=exporter)
    with llm_observe.observe(operation="chain"):
        llm_observe.log(provider="p", model="m")
    assert llm_observe.flush(WAIT_S) == (1, 0, 0)
    assert exporter.logs[0].parent_span_id


def test_more_spans_than_the_queue_holds_are_dropped_and_counted_and_calls_are_not(runtime):
    exporter = SpanReceiver()
    llm_observe.configure(exporter=exporter, queue_max_logs=10)
    make_spans(1000)
    for _ in range(5):
        llm_observe.log(provider="p", model="m")
    _runtime.get_runtime()._batcher.flush(WAIT_S)
    assert len(exporter.logs) == 5
    exporter.may_go_on.set()
    result = llm_observe.flush(WAIT_S)
    assert result.sent + result.dropped == 1005
    assert result.pending == 0
    assert result.sent == len(exporter.logs) + len(exporter.spans)
    assert result.dropped > 0
