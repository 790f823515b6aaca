"""What an application costs that puts something unique into every model name.

python -m benchmarks.cardinality [names]: by default 60,000 names in one hour, each with one log; then
questions about them, before and after the deltas are merged.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import asyncpg
import grpc
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from analytics.checks import verify_rollups
from benchmarks.dashboard import calls, measure
from benchmarks.report import report
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.logs import make_logs
from tests.support.machine import machine
from tests.support.ports import free_port
from tests.support.rollups import COUNT_REQUESTS
from tests.support.rpc import answers
from tests.support.waiting import eventually

_BATCH = 500
_PAUSE_S = 600
"""Pause between merges, so that one is measured by itself."""


async def send(port: int, names: int) -> float:
    """Send a log for each name; return seconds until all are accepted."""
    logs = make_logs(names, seed=1)
    for number, log in enumerate(logs):
        log.model = f"model-{number}"
        log.start_time.CopyFrom(logs[0].start_time)
        log.ClearField("first_token_time")
        log.ClearField("end_time")
    begin = time.perf_counter()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = IngestServiceStub(channel)
        for place in range(0, names, _BATCH):
            await stub.IngestLogs(IngestLogsRequest(logs=logs[place : place + _BATCH]), timeout=60)
    return time.perf_counter() - begin


async def measure_all(port: int) -> dict[str, Any]:
    """Return milliseconds of every call."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = AnalyticsServiceStub(channel)
        every = calls(stub, "", "")
        return {
            name: await measure(every[name], rounds=10)
            for name in ("GetSummary 24 h", "QueryBreakdown by model 24 h", "QueryTimeSeries by model 24 h",
                         "ListFacets 24 h")
        }  # fmt: skip


async def run(services: Any, port: int, names: int) -> None:
    await eventually(lambda: answers(port))
    sql = await asyncpg.connect(services.env["DATABASE_URL"])
    begin = time.perf_counter()
    await send(port, names)

    async def stored() -> bool:
        count: int = await sql.fetchval(COUNT_REQUESTS)
        return count == names

    await eventually(stored)
    stored_s = time.perf_counter() - begin
    before = await measure_all(port)
    services.stop("worker")
    begin = time.perf_counter()
    services.start("worker", "worker", LLM_OBSERVE_ROLLUP_MERGE_INTERVAL_S="0.05")

    async def merged() -> bool:
        count: int = await sql.fetchval("SELECT count(*) FROM rollup_deltas")
        return count == 0

    await eventually(merged)
    merged_s = time.perf_counter() - begin
    database = Database(StorageSettings(database_url=services.env["DATABASE_URL"], timeout_s=600))
    report(
        benchmark="cardinality",
        names=names,
        stored_s=round(stored_s, 1),
        merged_s=round(merged_s, 1),
        rollups=await sql.fetchval("SELECT count(*) FROM rollups WHERE tier_minutes = 60"),
        calls_before_merge=before,
        calls_after_merge=await measure_all(port),
        rollup_differences=len(await verify_rollups(database)),
    )
    await database.close()
    await sql.close()


def main() -> None:
    names = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    with machine() as services:
        port = free_port()
        services.start("server", "server", LLM_OBSERVE_GRPC_PORT=str(port))
        services.start("worker", "worker", LLM_OBSERVE_ROLLUP_MERGE_INTERVAL_S=str(_PAUSE_S))
        asyncio.run(run(services, port, names))


if __name__ == "__main__":
    main()
