"""Every call of AnalyticsService over thirty days of logs, beside the same questions asked of the raw rows.

python -m benchmarks.dashboard [logs] [groups]: by default ten million and twenty. The data is made once and
kept in .llm-observe/benchmarks (LLM_OBSERVE_BENCHMARK_DATA); days that have passed since are filled up.
With --fill nothing is measured; --raw asks the same of the raw rows, too, which takes minutes; --compare LOGS
asks the same of another number of logs, and puts its answers beside the first.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
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
from benchmarks.dashboard_data import data_folder, fill, kept_machine, make_digests
from benchmarks.report import report
from benchmarks.rows_read import count_rows_read
from tests.support.ports import free_port
from tests.support.rollups import COUNT_REQUESTS
from tests.support.rpc import answers
from tests.support.waiting import eventually

_ROUNDS = 40
_WINDOWS = {"1 h": HOUR, "24 h": DAY, "7 d": 7 * DAY, "30 d": 30 * DAY}
_CSV_ROWS = 200_000
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
        found[f"ListReleases {name}"] = ("ListReleases", length, {})
        for group in ("user", "session", "release", "tag"):
            dimension = pb.Dimension.Value(f"DIMENSION_{group.upper()}")
            found[f"QueryBreakdown by {group} {name}"] = ("QueryBreakdown", length, {"dimension": dimension})
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


async def measure_csv(stub: Any) -> dict[str, float | int]:
    """Return how fast an export of up to thirty days is."""
    begin, first, size, lines = time.perf_counter(), 0.0, 0, 0
    request = pb.ExportLogsCsvRequest(time_range=window(30 * DAY), row_limit=_CSV_ROWS)
    async for response in stub.ExportLogsCsv(request, timeout=600):
        size, lines = size + len(response.chunk), lines + response.chunk.count(b"\r\n")
        # The header comes before anything is read.
        first = first if first or lines < 2 else time.perf_counter() - begin
    took = time.perf_counter() - begin
    return {
        "rows": lines - 1,
        "rows_per_s": round((lines - 1) / took),
        "megabytes_per_s": round(size / took / 1e6, 1),
        "first_rows_ms": round(first * 1000, 1),
    }


async def count_rows_of(sql: asyncpg.Connection, call: Call) -> int:
    """Return how many rows and index entries one call reads."""
    before = await count_rows_read(sql)
    await call()
    return await count_rows_read(sql) - before


async def run(port: int, url: str, *, raw: bool) -> dict[str, Any]:
    """Return the figures of one set of data."""
    await eventually(lambda: answers(port))
    sql = await asyncpg.connect(url)
    (newest,) = await sql.fetch(
        "SELECT log_id, trace_id FROM logs WHERE trace_id <> '' ORDER BY start_time DESC LIMIT 1"
    )
    log_id, trace_id = newest
    figures: dict[str, Any] = {}
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = AnalyticsServiceStub(channel)
        asked = calls(stub, str(log_id), trace_id)
        for name, call in asked.items():
            figures[name] = await measure(call)
        exported = await measure_csv(stub)
        for name, call in asked.items():
            if "error" not in figures[name]:
                figures[name]["rows_read"] = await count_rows_of(sql, call)
    found = {
        "logs": await sql.fetchval(COUNT_REQUESTS),
        "rollups": {
            str(row["tier_minutes"]): row["count"]
            for row in await sql.fetch("SELECT tier_minutes, count(*) FROM rollups GROUP BY 1 ORDER BY 1")
        },
        "calls": figures | {"ExportLogsCsv 30 d": exported},
        "raw": await measure_raw(sql) if raw else {},
    }
    await sql.close()
    return found


def measure_data(logs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Fill up the data of a size, and return its figures."""
    with kept_machine(data_folder(logs, options.groups)) as services:
        url = services.env["DATABASE_URL"]
        asyncio.run(fill(url, logs, options.groups))
        made = asyncio.run(make_digests(url))
        if options.fill:
            return {}
        port = free_port()
        services.start("server", "server", LLM_OBSERVE_GRPC_PORT=str(port))
        return {**asyncio.run(run(port, url, raw=options.raw)), "digests": made}


def beside_each_other(found: dict[int, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the figures of each call by number of logs."""
    return {
        name: {f"{logs} logs": figures["calls"][name] for logs, figures in found.items()}
        for name in next(iter(found.values()))["calls"]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("logs", type=int, nargs="?", default=10_000_000)
    parser.add_argument("groups", type=int, nargs="?", default=20)
    parser.add_argument("--compare", type=int, metavar="LOGS")
    parser.add_argument("--fill", action="store_true")
    parser.add_argument("--raw", action="store_true")
    options = parser.parse_args()
    sizes = [options.logs, *([options.compare] if options.compare else [])]
    found = {logs: measure_data(logs, options) for logs in sizes}
    if options.fill:
        return
    figures = found[options.logs]
    if options.compare:
        figures = {
            name: {f"{logs} logs": each[name] for logs, each in found.items()}
            for name in ("logs", "rollups", "raw", "digests")
        } | {"calls": beside_each_other(found)}
    report(benchmark="dashboard", groups=options.groups, **figures)


if __name__ == "__main__":
    main()
