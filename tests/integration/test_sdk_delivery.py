"""The SDK's sender against the real server: however a process ends, its logs arrive or are counted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from llm_observe._config import Config
from llm_observe._exporter import GrpcExporter
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from storage.logs import count_logs
from tests.support.logs import make_log
from tests.support.waiting import WAIT_S, eventually

LOG_100 = "import os, sys, time, llm_observe as o\n[o.log(provider='p', model='m') for _ in range(100)]\n"
ENDINGS = {
    "normal exit": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "unhandled exception": ("raise RuntimeError", 1),
    "SIGTERM": ("print('logged', flush=True)\nwhile True: time.sleep(0.05)", -signal.SIGTERM),
    "fork": ("pid = os.fork()\nif pid == 0: sys.exit(0)\nos.waitpid(pid, 0)", 0),
}


async def run(code: str, endpoint: str) -> tuple[int, str]:
    env = {**os.environ, "LLM_OBSERVE_ENDPOINT": endpoint, "LLM_OBSERVE_EXIT_TIMEOUT_S": str(WAIT_S)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if "logged" in code:
        assert process.stdout is not None
        await process.stdout.readline()
        process.terminate()
    _, errors = await asyncio.wait_for(process.communicate(), WAIT_S)
    return process.returncode or 0, errors.decode()


@pytest.mark.parametrize("ending", ENDINGS)
async def test_all_100_logs_arrive_however_the_process_ends(ending, server, database, worker):
    code, status = ENDINGS[ending]
    returned, errors = await run(LOG_100 + code, f"127.0.0.1:{server.port}")
    assert returned == status
    assert "llm_observe" not in errors.replace("import llm_observe", "")

    async def arrived():
        return await count_logs(database, project_id="default") == 100

    await eventually(arrived)


async def test_the_exporter_reads_retry_info():
    info = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=3, nanos=500_000_000))
    status = status_pb2.Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], message="slow down")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="RATE_LIMITED", domain="llm-observe"))
    status.details.add().Pack(info)

    async def refuse(request, context):
        await context.abort_with_status(rpc_status.to_status(status))

    handler: Any = grpc.unary_unary_rpc_method_handler(refuse)
    service = grpc.method_handlers_generic_handler("llm_observe.v1.IngestService", {"IngestLogs": handler})
    refusing = grpc.aio.server()
    refusing.add_generic_rpc_handlers((service,))
    port = refusing.add_insecure_port("127.0.0.1:0")
    await refusing.start()
    exporter = GrpcExporter(Config(endpoint=f"127.0.0.1:{port}"))
    try:
        result = await asyncio.to_thread(exporter.export, IngestLogsRequest(logs=[make_log()]), 5)
    finally:
        exporter.close()
        await refusing.stop(0)
    assert (result.retry, result.retry_after_s, result.failure) == (True, 3.5, "RESOURCE_EXHAUSTED")
