"""Small factories: a valid log, a request, a worker process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import psutil
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, Log

from stack import processes
from worker.queue.settings import QueueSettings


def make_log(**fields: Any) -> Log:
    """A valid, successful log; message fields are given as protobuf JSON."""
    log = Log(
        log_id=str(uuid.uuid4()),
        session_id="session",
        provider="openai",
        model="gpt-4o-mini",
        outcome=OUTCOME_SUCCESS,
        input_token_count=10,
        output_token_count=20,
        total_token_count=30,
    )
    log.start_time.FromNanoseconds(time.time_ns() // 1000 * 1000)
    log.latency.FromMilliseconds(250)
    ParseDict(fields, log)
    return log


def stub(kind: Any, channel: Any) -> Any:
    """A stub; untyped, since the generated class types only its synchronous face."""
    return kind(channel)


def make_request(*logs: Log) -> IngestLogsRequest:
    return IngestLogsRequest(logs=logs)


def start_worker(
    database_url: str, queue: QueueSettings, log_folder: Any, name: str = "worker"
) -> psutil.Process:
    """The real worker, in a process of its own, so that it can be killed."""
    env = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": queue.redis_url.get_secret_value(),
        "LLM_OBSERVE_QUEUE_NAME": queue.queue_name,
        "LLM_OBSERVE_QUEUE_HEARTBEAT_S": str(queue.heartbeat_s),
        "LLM_OBSERVE_QUEUE_LIVENESS_S": str(queue.liveness_s),
    }
    command = [sys.executable, "-m", "worker"]
    return processes.start(command, log=log_folder / f"{name}.out", env=env)


def stop(process: psutil.Process) -> None:
    processes.stop(process, signal.SIGTERM, 20)


def info_of(error: Any) -> tuple[str, dict[str, str], list[str]]:
    """Reason, metadata and violated fields of a rich error."""
    status = rpc_status.from_call(error)
    assert status is not None, "the error has no google.rpc.Status"
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    assert info.domain == "llm-observe"
    return info.reason, dict(info.metadata), [violation.field for violation in bad.field_violations]


async def eventually(check: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Wait until a check, plain or awaitable, is true; return what it gave."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {timeout_s} s")
        await asyncio.sleep(0.05)
