"""Every call of AnalyticsService over thirty days of logs, beside the same questions asked of the raw rows.

python -m benchmarks.dashboard [logs] [groups]: by default ten million and twenty. The data is made once and
kept in .llm-observe/benchmarks (LLM_OBSERVE_BENCHMARK_DATA); days that have passed since are filled up.
With --fill nothing is measured; --raw asks the same of the raw rows, too, which takes minutes.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import grpc
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.filter_pb2 import TimeRange

from analytics.windows import DAY, HOUR
from benchmarks.dashboard_data import data_folder, fill, kept_machine
from benchmarks.report import report
from tests.support.ports import free_port
from tests.support.rollups import COUNT_REQUESTS
from tests.support.rpc import answers
from tests.support.waiting import eventually

_ROUNDS = 40
_WINDOWS = {"1 h": HOUR, "24 h": DAY, "7 d": 7 * DAY, "30 d": 30 * DAY}
Call = Callable[[], Awaitable[Any]]


def window(length: timedelta) -> TimeRange:
    """Return the window that ends now."""
    time_range, now = TimeRange(), datetime.now(UTC)
    time_range.start_time.FromDatetime(now - length)
    time_range.end_time.FromDatetime(now)
    return time_range


def calls(stub: Any, log_id: str, trace_id: str) -> dict[str, Call]:
    """Return every call, at its default step, by name."""
    found: dict[str, Call] = {name: partial(ask, stub, *question) for name, question in questions().items()}
    found["GetLog"] = lambda: stub.GetLog(pb.GetLogRequest(log_id=log_id))
    found["GetTrace"] = lambda: stub.GetTrace(pb.GetTraceRequest(trace_id=trace_id))
    return found


def questions() -> dict[str, tuple[str, timedelta, dict[str, Any]]]:
    """Return method, window and other arguments by name."""
    found: dict[str, tuple[str, timedelta, dict[str, Any]]] = {}
    by_model = {"dimension": pb.DIMENSION_MODEL}
    for name, length in _WINDOWS.items():
        found[f"GetSummary {name}"] = ("GetSummary", length, {})
        found[f"QueryTimeSeries {name}"] = ("QueryTimeSeries", length, {})
        found[f"QueryTimeSeries by model {name}"] = (
            "QueryTimeSeries", length, {"group_by": pb.DIMENSION_MODEL},
        )  # fmt: skip
        found[f"QueryBreakdown by model {name}"] = ("QueryBreakdown", length, by_model)
        found[f"QueryBreakdown by error code {name}"] = (
            "QueryBreakdown", length, {"dimension": pb.DIMENSION_ERROR_CODE},
        )  # fmt: skip
        found[f"QueryTimeSeries by error code {name}"] = (
            "QueryTimeSeries", length, {"group_by": pb.DIMENSION_ERROR_CODE},
        )  # fmt: skip
        found[f"ListFacets {name}"] = ("ListFacets", length, {})
    for name, length in list(_WINDOWS.items())[:2]:
        found[f"QueryBreakdown by user {name}"] = ("QueryBreakdown", length, {"dimension": pb.DIMENSION_USER})
    found["ListLogs"] = ("ListLogs", DAY, {})
    found["ListLogs, a selective filter"] = ("ListLogs", DAY, {"filter": {"user_id": "user-4999"}})
    found["ListLogs, text that is nowhere"] = ("ListLogs", DAY, {"filter": {"text": "no such text"}})
    found["ListErrors"] = ("ListErrors", DAY, {})
    return found


async def ask(stub: Any, method: str, length: timedelta, arguments: dict[str, Any]) -> None:
    request = getattr(pb, f"{method}Request")(time_range=window(length), **arguments)
    await getattr(stub, method)(request, timeout=60)


_RAW = """
SELECT {group}, count(*), sum(input_token_count), sum(cost_nano_usd),
    percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_us)
        FILTER (WHERE outcome = 'success')
FROM logs WHERE project_id = 'default' AND start_time >= $1 AND start_time < $2 GROUP BY 1
"""


async def measure(call: Call, rounds: int = _ROUNDS) -> dict[str, float | str]:
    """Return milliseconds of a call: the median and the 99th percentile."""
    took = []
    for _ in range(rounds):
        begin = time.perf_counter()
        try:
            await call()
        except grpc.aio.AioRpcError as error:
            return {"error": f"{error.code().name}: {error.details()}"}
        took.append((time.perf_counter() - begin) * 1000)
    took.sort()
    return {
        "p50_ms": round(statistics.median(took), 1),
        "p99_ms": round(took[int(0.99 * (len(took) - 1))], 1),
    }


async def measure_raw(sql: asyncpg.Connection) -> dict[str, Any]:
    """Return milliseconds of the same questions in SQL on the raw rows."""
    figures: dict[str, Any] = {}
    for name, length in _WINDOWS.items():
        for what, group in (("GetSummary", "'all'"), ("QueryBreakdown by model", "model")):
            query, now = _RAW.format(group=group), datetime.now(UTC)
            asked = partial(sql.fetch, query, now - length, now)
            figures[f"{what} {name}"] = await measure(asked, rounds=1)
    return figures


async def run(port: int, url: str, groups: int, *, raw: bool) -> None:
    await eventually(lambda: answers(port))
    sql = await asyncpg.connect(url)
    (newest,) = await sql.fetch(
        "SELECT log_id, trace_id FROM logs WHERE trace_id <> '' ORDER BY start_time DESC LIMIT 1"
    )
    log_id, trace_id = newest
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = AnalyticsServiceStub(channel)
        figures = {name: await measure(call) for name, call in calls(stub, str(log_id), trace_id).items()}
    report(
        benchmark="dashboard",
        logs=await sql.fetchval(COUNT_REQUESTS),
        groups=groups,
        rollups={
            str(row["tier_minutes"]): row["count"]
            for row in await sql.fetch("SELECT tier_minutes, count(*) FROM rollups GROUP BY 1 ORDER BY 1")
        },
        calls=figures,
        raw=await measure_raw(sql) if raw else {},
    )
    await sql.close()


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    groups = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with kept_machine(data_folder(logs, groups)) as services:
        url = services.env["DATABASE_URL"]
        asyncio.run(fill(url, logs, groups))
        if "--fill" in sys.argv:
            return
        port = free_port()
        services.start("server", "server", LLM_OBSERVE_GRPC_PORT=str(port))
        asyncio.run(run(port, url, groups, raw="--raw" in sys.argv))


if __name__ == "__main__":
    main()
