"""From Ingest RPC to commit with one worker and with two, compared with a bare unnest upsert and rollup.

python -m benchmarks.durable [logs]: the logs are the seeded mix of tests/support/logs.py. The bare side,
with one connection and with two, is one INSERT ... SELECT unnest(500 rows) ON CONFLICT DO UPDATE and one
rollup upsert in one transaction, on a plain table with one primary key: no partitions, no ownership, no
sketches, no redaction, no queue. ours_redacting_all is the same where every log holds something to redact;
ours_traced is the same where every log is part of a trace, which an index finds. The CPU that a log takes of
each process, the sender's included, says what these cores could store if nobody else used them (by_cpu), and
cores_used how many were busy with it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import asyncpg
import grpc
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from analytics.checks import verify_rollups
from benchmarks.report import ratio, report
from stack import readiness
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.logs import make_logs
from tests.support.machine import Machine, machine
from tests.support.ports import free_port
from tests.support.rollups import COUNT_REQUESTS
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

_BATCH = 500
_AT_ONCE = 8
_LOGS_PER_TRACE = 3
_SECRET = " Write to " + "ann" + "@" + "example.org."
"""Makes the worker redact a log that an application sent unredacted."""
_COLUMNS = {
    "log_id": "uuid",
    "session_id": "text",
    "start_time": "timestamptz",
    "provider": "text",
    "model": "text",
    "operation": "text",
    "environment": "text",
    "user_id": "text",
    "input_token_count": "bigint",
    "output_token_count": "bigint",
    "latency_us": "bigint",
    "ttft_us": "bigint",
    "input_preview": "text",
    "output_preview": "text",
    "finish_reason": "text",
    "metadata": "text",
}
_TABLES = f"""
CREATE SCHEMA bare;
CREATE TABLE bare.logs ({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())},
                        PRIMARY KEY (log_id));
CREATE TABLE bare.rollups (hour timestamptz, provider text, model text, requests bigint, input_tokens numeric,
                           output_tokens numeric, latency_us numeric, PRIMARY KEY (hour, provider, model));
"""
_NAMES = ", ".join(_COLUMNS)
_SET = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "log_id")
_ARRAYS = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_COLUMNS.values(), 1))
_UPSERT = f"""
WITH written AS (
    INSERT INTO bare.logs ({_NAMES}) SELECT * FROM unnest({_ARRAYS}) AS t ({_NAMES}) ORDER BY log_id
    ON CONFLICT (log_id) DO UPDATE SET {_SET}
    RETURNING start_time, provider, model, input_token_count, output_token_count, latency_us
)
INSERT INTO bare.rollups AS r
SELECT date_trunc('hour', start_time), provider, model, count(*), sum(input_token_count),
       sum(output_token_count), sum(latency_us)
FROM written GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (hour, provider, model) DO UPDATE SET requests = r.requests + excluded.requests,
    input_tokens = r.input_tokens + excluded.input_tokens,
    output_tokens = r.output_tokens + excluded.output_tokens, latency_us = r.latency_us + excluded.latency_us
"""  # noqa: S608 - built from the constants above


def _bare_row(log: Any) -> tuple[Any, ...]:
    return (
        log.log_id,
        log.session_id,
        log.start_time.ToDatetime().astimezone(),
        log.provider,
        log.model,
        log.operation,
        log.environment,
        log.user_id,
        log.input_token_count,
        log.output_token_count,
        log.latency.ToMicroseconds(),
        log.time_to_first_token.ToMicroseconds(),
        log.input_preview,
        log.output_preview,
        log.finish_reason,
        str(dict(log.metadata)),
    )


async def run_bare(url: str, count: int, connections: int = 1) -> tuple[float, float]:
    """Return rows per second of the bare upsert, with rows made before, and the client's CPU in seconds."""
    rows = [_bare_row(log) for log in make_logs(count, seed=2)]
    batches = iter([list(zip(*rows[n : n + _BATCH], strict=True)) for n in range(0, count, _BATCH)])
    opened = [await asyncpg.connect(url) for _ in range(connections)]
    await opened[0].execute(_TABLES)

    async def write(connection: asyncpg.Connection) -> None:
        for batch in batches:
            await connection.execute(_UPSERT, *batch)

    begin, own = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(write, opened))
    seconds, own = time.perf_counter() - begin, time.process_time() - own
    await opened[0].execute("DROP SCHEMA bare CASCADE")
    for connection in opened:
        await connection.close()
    return count / seconds, own


def make_requests(count: int, *, ending: str = "", logs_per_trace: int = 0) -> list[IngestLogsRequest]:
    """Return requests with so many logs; for the rest see make_logs()."""
    logs = make_logs(count, seed=3, ending=ending, logs_per_trace=logs_per_trace)
    return [IngestLogsRequest(logs=logs[n : n + _BATCH]) for n in range(0, count, _BATCH)]


async def run_ours(port: int, sql: asyncpg.Connection, requests: Sequence[IngestLogsRequest]) -> float:
    """Return logs per second from the first Ingest call to the last commit."""
    count = sum(len(request.logs) for request in requests)
    waiting = iter(requests)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = IngestServiceStub(channel)

        async def caller() -> None:
            for request in waiting:
                await stub.IngestLogs(request, timeout=60)

        before = await _stored(sql)
        begin = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))
        while await _stored(sql) < before + count:
            await asyncio.sleep(0.02)
        return count / (time.perf_counter() - begin)


async def _stored(sql: asyncpg.Connection) -> int:
    count: int = await sql.fetchval(COUNT_REQUESTS)
    return count


async def _has_workers(port: int, count: int) -> bool:
    health = await asyncio.to_thread(readiness.ask_health, f"127.0.0.1:{port}")
    return health is not None and health.queue.consumer_count == count


async def _run_counted(
    services: Machine, port: int, sql: asyncpg.Connection, count: int
) -> tuple[float, dict[str, float]]:
    """Return logs per second, and microseconds of CPU a log by process."""
    requests = make_requests(count)
    before, own = services.cpu_s(), time.process_time()
    rate = await run_ours(port, sql, requests)
    used = {name: cpu - before[name] for name, cpu in services.cpu_s().items()}
    used["sender"] = time.process_time() - own
    return rate, {name: round(cpu_s * 1e6 / count, 1) for name, cpu_s in used.items()}


def _by_cpu(used: dict[str, float]) -> int:
    """Return the logs a second for which all cores are busy, or a process that uses one at a time."""
    busiest = max(us for name, us in used.items() if name != "postgres")
    return round(1e6 / max(busiest, sum(used.values()) / (os.cpu_count() or 1)))


async def run(services: Machine, port: int, count: int) -> None:
    url = services.env["DATABASE_URL"]
    await eventually(lambda: _has_workers(port, 1))
    sql = await asyncpg.connect(url)
    await run_ours(port, sql, make_requests(2_000))
    await run_bare(url, 2_000)
    before = services.cpu_s()["postgres"]
    bare, client_s = await run_bare(url, count)
    bare_us = round((client_s + services.cpu_s()["postgres"] - before) * 1e6 / count, 1)
    bare_by_two, _ = await run_bare(url, count, connections=2)
    ours, used = await _run_counted(services, port, sql, count)
    traced = await run_ours(port, sql, make_requests(count, logs_per_trace=_LOGS_PER_TRACE))
    bare = (bare + (await run_bare(url, count))[0]) / 2
    redacting = await run_ours(port, sql, make_requests(count // 4, ending=_SECRET))
    services.start("second worker", "worker")
    await eventually(lambda: _has_workers(port, 2))
    by_two, used_by_two = await _run_counted(services, port, sql, count)
    await sql.close()
    database = Database(StorageSettings(database_url=url))
    differences = await verify_rollups(database)
    await database.close()
    report(
        benchmark="durable",
        logs=count,
        ours_logs_per_s=round(ours),
        ours_by_two_workers_logs_per_s=round(by_two),
        ours_traced_logs_per_s=round(traced),
        ours_redacting_all_logs_per_s=round(redacting),
        bare_logs_per_s=round(bare),
        bare_by_two_connections_logs_per_s=round(bare_by_two),
        ratio=ratio(ours, bare),
        ratio_traced=ratio(traced, bare),
        ratio_to_two_connections=ratio(ours, bare_by_two),
        two_workers_to_one=ratio(by_two, ours),
        cpu_us_per_log=used,
        cpu_us_per_log_by_two_workers=used_by_two,
        bare_cpu_us_per_log=bare_us,
        by_cpu={
            "ours_logs_per_s": _by_cpu(used),
            "ours_by_two_workers_logs_per_s": _by_cpu(used_by_two),
            "bare_logs_per_s": round(1e6 / bare_us),
        },
        cores=os.cpu_count(),
        cores_used=round(ours * sum(used.values()) / 1e6, 2),
        cores_used_by_two_workers=round(by_two * sum(used_by_two.values()) / 1e6, 2),
        rollup_differences=len(differences),
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with machine() as services:
        port = free_port()
        services.start("server", "server", LLM_OBSERVE_GRPC_PORT=str(port))
        services.start("worker", "worker")
        asyncio.run(run(services, port, count))


if __name__ == "__main__":
    main()
