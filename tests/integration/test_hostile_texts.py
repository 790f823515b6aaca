"""Every text field of every request takes every hostile text: stored as it came, or refused richly.

Fields come from the descriptors, so that a new one is covered at once. Whatever callers send, log lines stay
one to an event and hold none of it, a spreadsheet runs nothing, and a terminal obeys nothing.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import unicodedata
from collections import defaultdict
from typing import Any

import grpc
import pytest
from click.testing import CliRunner
from grpc_status import rpc_status
from llm_observe.limits import MAX_TEXT_CHARS
from llm_observe.v1.analytics_service_pb2 import (
    ExportLogsCsvRequest,
    GetLogRequest,
    GetLogResponse,
    GetSummaryRequest,
)
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.log_pb2 import Log

from analytics.result_files import unescape_formula
from stack.cli.main import cli
from tests.support.log_lines import logging_to
from tests.support.logs import make_log, make_request
from tests.support.methods import METHODS, call
from tests.support.rpc import info_of, stub
from tests.support.server import mocked, running_server
from tests.support.text_fields import HOSTILE, MARK, name_of, put, text_fields
from tests.support.valid_requests import MADE, PROJECT, Existing, make_valid
from tests.support.waiting import eventually
from tests.support.worker import running_worker

FIELDS = [
    (method, path) for method, described in METHODS.items() for path in text_fields(described.input_type)
]
LOG_FIELDS = [path for path in text_fields(Log.DESCRIPTOR) if name_of(path) != "price_version"]
"""All but the one that the worker says itself."""
IN_FLIGHT = 16
BROKEN = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED}
QUOTING = {"ReportService/RunSql"}
"""Methods whose errors quote what the caller wrote: a mistake in SQL is not found otherwise."""

LISTS = (
    ("alerts", "list"),
    ("alerts", "rules", "list"),
    ("alerts", "budgets", "list"),
    ("alerts", "channels", "list"),
    ("dead-letters", "list"),
    ("export", "list"),
    ("keys", "list", PROJECT),
    ("ledger",),
    ("projects", "list"),
)
"""Commands that print what callers named."""


@pytest.fixture
async def hostile_server(database_url, queue_settings, provider_mock):
    async with running_server(
        database_url,
        queue_settings,
        mocked(provider_mock),
        chat_turns_per_minute=100_000,
        chat_project_turns_per_minute=100_000,
    ) as running:
        yield running


@pytest.fixture
def run_cli(hostile_server, database_url, monkeypatch):
    """Run commands; return what they print on a terminal or into a pipe, errors included."""
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{hostile_server.port}")
    monkeypatch.setenv("DATABASE_URL", database_url)

    async def invoke(*words: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, cli, words)
        assert done.exit_code == 0, done.output
        return done.output

    return invoke


@pytest.fixture
async def worker(database_url, queue_settings):
    async with running_worker(database_url, queue_settings):
        yield


@pytest.fixture
async def channel(hostile_server):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{hostile_server.port}") as opened:
        yield opened


@pytest.fixture
def log_lines(tmp_path):
    """Write log lines as the server does; return what reads them."""
    path = tmp_path / "log"
    with logging_to(path):
        yield lambda: path.read_bytes().decode().split("\n")[:-1]


def controls_in(text: str, allowed: str = "") -> set[str]:
    """Return the characters of a text that command a terminal, end a line or are invisible."""
    return {
        f"U+{ord(char):04X}"
        for char in text
        if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Cn"} and char not in allowed
    }


async def send_all(channel, existing) -> dict[str, list[str]]:
    """Send every hostile text in every field; return what is wrong with the answers."""
    problems = defaultdict(list)
    left = iter([(method, path, kind) for method, path in FIELDS for kind in HOSTILE])

    async def sender() -> None:
        for method, path, kind in left:
            request = make_valid(method, existing)
            put(request, path, HOSTILE[kind])
            problem = await problem_of(channel, method, request)
            if problem:
                problems[f"{method} {name_of(path)}: {problem}"].append(kind)

    await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))
    return problems


async def problem_of(channel, method, request) -> str:
    try:
        await call(channel, method, request)
    except grpc.aio.AioRpcError as error:
        failed: Any = error
        if error.code() in BROKEN or rpc_status.from_call(failed) is None:
            return f"{error.code().name} {error.details()}"
        reason, metadata, fields = info_of(error)
        said = " ".join((error.details() or "", *metadata, *metadata.values(), *fields))
        if controls_in(said, "\n" if method in QUOTING else ""):
            return f"{reason} says {controls_in(said)}"
        if MARK in said and method not in QUOTING:
            return f"{reason} quotes the text"
    return ""


async def test_the_requests_that_texts_are_put_into_are_valid(channel, database):
    """Otherwise something else than the text would be refused."""
    existing = await Existing.create(channel, database)
    for method in MADE:
        assert await call(channel, method, make_valid(method, existing)) is not grpc.aio.EOF


async def test_every_field_refuses_or_takes_every_text(channel, database, database_url, log_lines, run_cli):
    existing = await Existing.create(channel, database)
    assert dict(await send_all(channel, existing)) == {}
    events = [json.loads(line) for line in log_lines()]  # each line is a whole one
    assert not [event for event in events if MARK in json.dumps(event)]
    for command in LISTS:
        shown = await run_cli(*command)
        assert not controls_in(shown, "\n\t"), command
        assert {len(line.split("\t")) for line in shown.splitlines()} <= {
            shown.split("\n")[0].count("\t") + 1
        }


async def test_logs_are_stored_and_exported_as_they_came(channel, worker, log_lines, run_cli):
    sent = await send_hostile_logs(channel)
    assert len(sent) > len(LOG_FIELDS) * len(HOSTILE) // 2

    async def all_stored():
        found = await call(channel, "AnalyticsService/GetSummary", GetSummaryRequest())
        return found.current.request_count == len(sent)

    await eventually(all_stored)
    stored = {log_id: await get_log(channel, log_id) for log_id in sent}
    wrong = [
        (field, kind)
        for log_id, (field, kind, log) in sent.items()
        if getattr(stored[log_id], field) != repaired(log, field)
    ]
    assert wrong == []
    assert_csv_holds(await export_csv(channel), stored)
    for form in ("table", "json"):
        shown = await run_cli("sql", "FROM logs", "--limit", "10000", "--format", form)
        assert not controls_in(shown, "\n\t"), form
    assert not [line for line in log_lines() if MARK in json.dumps(json.loads(line))]


async def send_hostile_logs(channel) -> dict[str, tuple[str, str, Log]]:
    """Send a log for each text field and hostile text; return those that were accepted, by id."""
    sent = {}
    for path in LOG_FIELDS:
        for kind, text in HOSTILE.items():
            log = make_log()
            put(log, path, text)
            answer = await call(channel, "IngestService/IngestLogs", make_request(log))
            assert answer.accepted_log_count == 1 or answer.rejected_logs[0].reason
            if answer.accepted_log_count:
                sent[log.log_id] = (path[0].name, kind, log)
    return sent


def repaired(log: Log, field: str):
    """Return a field's value as it is stored: Postgres has no NUL, and some texts are cut."""
    value = getattr(log, field)
    if field == "metadata":
        return {key.replace("\0", "\ufffd"): text.replace("\0", "\ufffd") for key, text in value.items()}
    if field == "tags":
        return [tag.replace("\0", "\ufffd") for tag in value]
    return value.replace("\0", "\ufffd")[: MAX_TEXT_CHARS.get(field)]


async def get_log(channel, log_id: str) -> Log:
    answer: GetLogResponse = await call(channel, "AnalyticsService/GetLog", GetLogRequest(log_id=log_id))
    return answer.log


async def export_csv(channel) -> list[dict[str, str]]:
    answers = stub(AnalyticsServiceStub, channel).ExportLogsCsv(ExportLogsCsvRequest())
    data = b"".join([answer.chunk async for answer in answers])
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def assert_csv_holds(rows: list[dict[str, str]], stored: dict[str, Log]) -> None:
    assert {row["log_id"] for row in rows} == set(stored)
    for row in rows:
        log = stored[row["log_id"]]
        for path in LOG_FIELDS:
            name = path[0].name
            cell = row[name]
            assert not cell.lstrip().startswith(("=", "+", "-", "@"))
            if name not in {"metadata", "tags"}:
                assert unescape_formula(cell) == getattr(log, name)
