"""Every command that takes --json prints JSON alone, and all of what it has."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from click.testing import CliRunner
from google.protobuf.json_format import MessageToJson
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from stack.cli.main import cli
from storage.dead_letters import NewDeadLetter, add_dead_letters
from tests.support.logs import make_log, make_request
from tests.support.otlp_bodies import body, span
from tests.support.rpc import stub
from tests.support.waiting import eventually

COST = ("--metric", "cost", "--above", "1")
HOOK = ("--webhook", "https://hooks.example.com/none")
FIRST_FIELDS = {
    "status": "state",
    "doctor": "subject",
    "projects list": "project_id",
    "keys list": "api_key_id",
    "dead-letters list": "dead_letter_id",
    "dead-letters show": "dead_letter_id",
    "ledger": "producer_id",
    "alerts list": "",
    "alerts rules list": "alert_rule_id",
    "alerts rules test": "group",
    "alerts budgets list": "budget",
    "alerts channels list": "channel_id",
    "export list": "",
    "rollups verify": "",
    "report": "name",
    "erase": "",
    "import otlp": "files",
    "import langfuse": "files",
    "import phoenix": "files",
    "sql": "n",
}
"""Of each command: the first field of what it prints here; '' where it prints an empty list."""


_LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[")


def takers(group: click.Group, *names: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from takers(command, *names, name)
        if any("--json" in parameter.opts for parameter in command.params):
            yield " ".join((*names, name))


def run(*words: str) -> str:
    done = CliRunner().invoke(cli, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    # The worker logs to the same place, since it runs in this process.
    return "".join(line for line in done.stdout.splitlines(keepends=True) if not _LOGGED.match(line))


async def test_every_command_that_takes_json(
    server, worker, channel, database, database_url, monkeypatch, tmp_path
):
    (tmp_path / "spans.json").write_text(json.dumps(body(span(1))))
    (tmp_path / "none.json").write_text("[]")
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{server.port}")
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert set(takers(cli)) == set(FIRST_FIELDS)
    letter_id, rule_id = await fill(channel, database)
    arguments = {
        "dead-letters show": [letter_id],
        "alerts rules test": [rule_id],
        "sql": ["SELECT 1 AS n"],
        "erase": ["--list"],
        "import otlp": [str(tmp_path / "spans.json")],
        "import langfuse": [str(tmp_path / "none.json")],
        "import phoenix": [str(tmp_path / "none.json")],
    }
    for name, field in FIRST_FIELDS.items():
        output = await asyncio.to_thread(run, *name.split(), *arguments.get(name, []), "--json")
        value = json.loads(output)
        first = value if isinstance(value, dict) else next(iter(value), {})
        assert next(iter(first), "") == field, name
        assert "secret" not in output, name


async def fill(channel, database) -> tuple[str, str]:
    """Make one of each; return the ids of a dead letter and of a rule."""
    request = make_request(make_log())
    sent = IngestLogsRequest(
        logs=request.logs,
        producer=ProducerReport(producer_id=str(uuid.uuid4()), sent_count=1, batch_number=1),
    )
    sent.producer.start_time.GetCurrentTime()
    await stub(IngestServiceStub, channel).IngestLogs(sent)
    await add_dead_letters(database, [make_letter()])
    await asyncio.to_thread(run, "keys", "create", "--role", "read")
    await asyncio.to_thread(run, "alerts", "channels", "create", "pager", *HOOK)
    await asyncio.to_thread(run, "alerts", "budgets", "create", "Month", "--month", "500")
    rule_id = (await asyncio.to_thread(run, "alerts", "rules", "create", "Dear", *COST)).strip()
    await eventually(lambda: asyncio.to_thread(run, "ledger"))
    (letter,) = json.loads(await asyncio.to_thread(run, "dead-letters", "list", "--json"))
    return letter["dead_letter_id"], rule_id


def make_letter() -> NewDeadLetter:
    return NewDeadLetter(
        project_id="default",
        reason="failed:Boom",
        message="failed after 3 attempts",
        log_id="",
        log_count=1,
        attempt_count=3,
        first_attempt_time=datetime(2026, 1, 1, tzinfo=UTC),
        payload=MessageToJson(make_request(make_log()), preserving_proto_field_name=True),
        producer_id="p1",
        dedup_key="d1",
    )
