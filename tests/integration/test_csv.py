"""The CSV stream: every log once, in bounded chunks, and no connection kept for a slow reader."""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.filter_pb2 import LogFilter

from analytics.result_files import unescape_formula
from codec.rows import to_row
from server.reads import log_csv, log_search
from server.reads.log_csv import COLUMNS
from server.reads.log_filter import LogMatcher, parse_log_filter
from tests.support.logs import make_log
from tests.support.packing import insert
from tests.support.prices import BOOK
from tests.support.random_logs import random_filter, random_log
from tests.support.rpc import info_of, stub

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(minutes=30)


@pytest.fixture
def analytics(channel):
    return stub(AnalyticsServiceStub, channel)


async def store(database, *logs):
    rows = [to_row(log, project_id="default", receive_time=NOW, prices=BOOK) for log in logs]
    for begin in range(0, len(rows), 500):
        await insert(database, rows[begin : begin + 500])


async def export(analytics, request) -> list[dict[str, str]]:
    chunks = [answer.chunk async for answer in analytics.ExportLogsCsv(request)]
    assert all(chunk.endswith(b"\r\n") and len(chunk) < 1_000_000 for chunk in chunks)
    lines = list(csv.reader(io.StringIO(b"".join(chunks).decode(), newline=""), strict=True))
    assert lines[0] == list(COLUMNS)
    return [dict(zip(COLUMNS, line, strict=True)) for line in lines[1:]]


async def test_no_logs_give_a_header(analytics):
    assert await export(analytics, pb.ExportLogsCsvRequest()) == []


async def test_the_file_holds_what_the_filter_selects_newest_first(analytics, database, monkeypatch):
    monkeypatch.setattr(log_csv, "_READ_ROWS", 3)
    monkeypatch.setattr(log_search, "_FIRST_SLICE_ROWS", 2)
    monkeypatch.setattr(log_search, "_MAX_SLICE_ROWS", 7)
    monkeypatch.setattr(log_search, "SEARCH_BUDGET_S", 0.0)
    chance = random.Random(17)
    logs = [random_log(chance, START) for _ in range(40)]
    await store(database, *logs)
    for message in [LogFilter(), *(random_filter(chance) for _ in range(15))]:
        matcher = LogMatcher(parse_log_filter(message))
        expected = sorted(
            (log for log in logs if matcher.matches(log)),
            key=lambda log: (log.start_time.ToNanoseconds(), log.log_id),
            reverse=True,
        )
        rows = await export(analytics, pb.ExportLogsCsvRequest(filter=message))
        assert [row["log_id"] for row in rows] == [log.log_id for log in expected], message
        for row, log in zip(rows, expected, strict=True):
            assert unescape_formula(row["input_preview"]) == log.input_preview
            assert unescape_formula(row["error_code"]) == log.error_code


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (7, 7), (11, 11), (12, 11), (0, 11), (2**63 - 1, 11)])
async def test_rows_are_limited(analytics, database, monkeypatch, limit, count):
    monkeypatch.setattr(log_csv, "_READ_ROWS", 3)
    await store(database, *(make_log() for _ in range(11)))
    assert len(await export(analytics, pb.ExportLogsCsvRequest(row_limit=limit))) == count


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (pb.ExportLogsCsvRequest(row_limit=-1), "row_limit"),
        (pb.ExportLogsCsvRequest(filter=LogFilter(tags=["\0"])), "filter.tags"),
    ],
)
async def test_wrong_fields_are_named(analytics, wrong, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.ExportLogsCsv(wrong).read()
    assert (info_of(caught.value)[0], info_of(caught.value)[2]) == ("INVALID_FIELD", [field])


async def test_a_slow_reader_holds_nothing_and_may_leave(analytics, database, sql):
    text = "x" * 500
    for _ in range(8):
        await store(database, *(make_log(inputPreview=text, outputPreview=text) for _ in range(500)))
    call = analytics.ExportLogsCsv(pb.ExportLogsCsvRequest())
    await call.read()  # and nothing more: what follows fills the buffers and waits

    async def other_sessions(state):
        return await sql.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE $1"
            " AND pid <> pg_backend_pid()",
            state,
        )

    while await other_sessions("active") or await other_sessions("idle in transaction"):
        pass
    call.cancel()
    rows = await export(analytics, pb.ExportLogsCsvRequest())
    assert len(rows) == len({row["log_id"] for row in rows}) == 4000


async def test_logs_that_are_stored_meanwhile_disturb_none(analytics, database, monkeypatch):
    monkeypatch.setattr(log_csv, "_READ_ROWS", 2)
    logs = [random_log(random.Random(n), START) for n in range(20)]
    await store(database, *logs)
    call = analytics.ExportLogsCsv(pb.ExportLogsCsvRequest())
    data = b""
    while (answer := await call.read()) is not grpc.aio.EOF:
        data += answer.chunk
        await store(database, random_log(random.Random(), START))
    lines = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    ids = [line["log_id"] for line in lines]
    assert len(ids) == len(set(ids))
    assert {log.log_id for log in logs} <= set(ids)
