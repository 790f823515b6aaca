"""Erasing a user: nothing that is stored names or quotes them any more, and every number stays."""

from __future__ import annotations

import asyncio
import getpass
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stack.cli.main import cli
from stack.erasure import UserErasure
from storage import log_erasure
from storage.backups import read_snapshot
from storage.columns import ERASED_COLUMNS, LOG_COLUMNS, LogRow
from storage.errors import StorageUnavailable
from storage.lake import list_dropped_hours
from storage.log_erasure import (
    ErasureBusy,
    UserData,
    digest_user,
    erase_payload,
    list_erasures,
    only_erasure,
)  # fmt: skip
from storage.settings import StorageSettings
from tests.support.dying import die_at
from tests.support.lake import (
    START,
    assert_lake_is_right,
    export_all,
    lake_settings,
    read_lake,
    row_at,
    rows_of,
)
from tests.support.packing import insert, upsert
from tests.support.rollups import assert_rollups_are_right, merge_all
from tests.support.waiting import eventually

USER = "user-4711"
SECRET = "what only user 4711 wrote"
LATER = START + timedelta(days=1)
NAMED: dict[str, Any] = {
    "session_id": f"session of {USER}", "user_id": USER, "trace_id": "a" * 32, "span_id": "b" * 16,
    "parent_span_id": "c" * 16, "provider_request_id": f"req-{USER}", "provider_response_id": f"res-{USER}",
    "error_message": SECRET, "input_preview": SECRET, "output_preview": SECRET,
    "metadata": json.dumps({"account": USER}), "tags": json.dumps([USER]),
}  # fmt: skip


def silent(_step: str, _done: int) -> None:
    pass


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(log_erasure, "_ROWS_AT_ONCE", 7)
    monkeypatch.setattr(log_erasure, "_LETTERS_AT_ONCE", 2)


@pytest.fixture
def lake(tmp_path):
    return lake_settings(tmp_path / "lake")


@pytest.fixture
def erasure(database, lake):
    return UserErasure(database, lake.open_store(), 60.0, silent)


def rows_of_all(count: int = 60) -> list[LogRow]:
    """Logs of the user and of others, in many hours."""
    chance = random.Random(1)
    rows = []
    for number in range(count):
        outcome = chance.choice(("OUTCOME_SUCCESS", "OUTCOME_ERROR", "OUTCOME_CANCELLED"))
        row = row_at(number % 20, outcome=outcome, errorCode="timeout" if "ERROR" in outcome else "")
        rows.append(row._replace(**(NAMED if number % 3 == 0 else {"user_id": f"other-{number}"})))
    return rows


async def make_conversation(sql, user_id: str = USER, project_id: str = "default") -> str:
    conversation = await sql.fetchval(
        "INSERT INTO conversations (project_id, session_id, user_id, title, last_message_preview)"
        " VALUES ($2, 's', $1, $3, $3) RETURNING conversation_id",
        user_id,
        project_id,
        SECRET if user_id == USER else "",
    )
    await sql.execute(
        "INSERT INTO messages (project_id, conversation_id, role, content) VALUES ($2, $1, 'user', $3)",
        conversation,
        project_id,
        SECRET if user_id == USER else "",
    )
    return str(conversation)


async def add_letter(sql, payload: object, project_id: str = "default") -> None:
    await sql.execute(
        "INSERT INTO dead_letters (project_id, reason, message, log_count, attempt_count, first_attempt_time,"
        " payload, dedup_key) VALUES ($2, 'refused', '', 1, 3, now(), $1, gen_random_uuid()::text)",
        json.dumps(payload),
        project_id,
    )


async def dump(sql) -> str:
    """Everything in the database as text."""
    tables = await sql.fetch(
        "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition"
    )
    texts = [
        await sql.fetchval(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {row['name']} AS t")
        for row in tables
    ]
    return "\n".join(texts)


def dump_lake(lake) -> str:
    """Everything that a reader of the lake sees, as text."""
    files = {name: file for name, file in read_lake(lake).items() if "/." not in name}
    rows = [rows_of(file) for name, file in files.items() if name.endswith(".parquet")]
    return "\n".join(map(str, [rows, [file for name, file in files.items() if name.endswith(".json")]]))


def sweep(lake) -> None:
    """Remove what killed processes have left."""
    for left in Path(lake.url).rglob(".*.tmp"):
        left.unlink()


async def assert_gone(sql, lake) -> None:
    for text in (await dump(sql), dump_lake(lake)):
        assert USER not in text
        assert SECRET not in text


NUMBERS = sorted({column.name for column in LOG_COLUMNS} - {column.name for column in ERASED_COLUMNS})


async def numbers(sql) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await sql.fetch(f"SELECT {', '.join(NUMBERS)} FROM logs ORDER BY log_id")]


async def test_nothing_names_the_user_and_every_number_stays(database, sql, lake, erasure):
    rows = rows_of_all()
    conversation, others = await make_conversation(sql), await make_conversation(sql, "other-1")
    # A log of the user's conversation that does not name the user.
    unnamed = row_at(3.5)._replace(**{**NAMED, "user_id": "", "conversation_id": conversation})
    await insert(database, [*rows, unnamed, row_at(1)._replace(conversation_id=others)])
    await merge_all(database)
    await export_all(database, lake)
    await add_letter(sql, {"log_id": "x", "user_id": USER, "input_preview": SECRET, "metadata": {"a": USER}})
    await add_letter(sql, {"logs": [{"user_id": "other-1"}, {"user_id": USER, "tags": [SECRET]}]})
    await add_letter(sql, {"logs": [{"conversation_id": conversation, "output_preview": SECRET}]})
    await add_letter(sql, {"unparsable": f"... {USER} {SECRET}"})
    await add_letter(sql, {"user_id": "other-1", "input_preview": "kept"})
    before, ledger = await numbers(sql), await sql.fetchval("SELECT count(*) FROM dead_letters")

    found, files = await erasure.find("default", USER)
    assert (found.log_count, len(found.user.conversation_ids), found.message_count) == (21, 1, 1)
    assert (found.dead_letter_count, files) == (4, [])
    erased = await erasure.erase("default", USER, "ops")
    assert erased == (21, 1, 1, 4, 0)

    await assert_gone(sql, lake)
    assert await numbers(sql) == before
    assert await sql.fetchval("SELECT count(*) FROM dead_letters") == ledger
    assert await sql.fetchval("SELECT count(*) FROM logs WHERE user_id LIKE 'other-%'") == 40
    assert await sql.fetchval("SELECT count(*) FROM logs WHERE conversation_id = $1", others) == 1
    assert await sql.fetchval("SELECT count(*) FROM messages") == 1
    assert await sql.fetchval("SELECT count(*) FROM dead_letters WHERE payload::text LIKE '%kept%'") == 1
    assert await assert_lake_is_right(sql, lake) == 62
    await assert_rollups_are_right(database)
    found, files = await erasure.find("default", USER)
    assert not found
    assert not files


async def test_other_projects_keep_their_user_of_that_name(database, sql, lake, erasure):
    await insert(database, [row_at(1, project_id="acme")._replace(**NAMED)])
    await sql.execute("INSERT INTO projects VALUES ('acme', '')")
    await make_conversation(sql, project_id="acme")
    await add_letter(sql, {"user_id": USER}, "acme")
    before = await dump(sql)
    assert await erasure.erase("default", USER, "ops") == (0, 0, 0, 0, 0)
    await sql.execute("DELETE FROM erasures")
    assert await dump(sql) == before
    assert await erasure.erase("acme", USER, "ops") == (1, 1, 1, 1, 0)
    await assert_gone(sql, lake)


async def test_files_of_dropped_days_are_written_again(database, sql, lake, erasure):
    await insert(database, rows_of_all())
    await export_all(database, lake)
    await sql.execute("SELECT drop_days_before(current_date)")
    kept = {name: rows_of(file) for name, file in read_lake(lake).items() if name.endswith("parquet")}
    found, files = await erasure.find("default", USER)
    assert not found
    assert len(files) == 20
    assert await erasure.erase("default", USER, "ops") == (0, 0, 0, 0, 20)
    await assert_gone(sql, lake)
    defaults = {column.name: column.text for column in ERASED_COLUMNS}
    for name, file in read_lake(lake).items():
        if name.endswith("parquet"):
            assert rows_of(file) == [
                {**row, **defaults} if row["user_id"] == USER else row for row in kept[name]
            ]
    await assert_files_are_as_noted(database, lake)


async def assert_files_are_as_noted(database, lake) -> None:
    """What Postgres and the manifests say of the files of dropped days is what they are."""
    store = lake.open_store()
    hours = await list_dropped_hours(
        database, start=START, end=START + timedelta(days=5), project_id="default"
    )
    assert len(hours) == 20
    manifests = "".join(file.decode() for name, file in read_lake(lake).items() if name.endswith("json"))
    for hour in hours:
        name = f"project_id=default/date={hour.hour:%Y-%m-%d}/hour={hour.hour:%H}/logs.parquet"
        assert store.digest(name) == hour.sha256
        assert hour.sha256 in manifests


async def test_logs_that_come_meanwhile_stay_right(database, sql, lake, erasure):
    """Corrections of the user's logs, moves of them, and new ones, while they are erased."""
    rows = rows_of_all(90)
    await insert(database, rows)
    await export_all(database, lake)
    stop = asyncio.Event()

    async def write() -> None:
        chance = random.Random(2)
        while not stop.is_set():
            moved = [
                row._replace(
                    receive_time=LATER, start_time=row.start_time + timedelta(minutes=chance.randrange(90))
                )
                for row in chance.sample(rows, 5)
            ]
            await upsert(database, moved)
            await insert(database, [row_at(chance.randrange(20))._replace(**NAMED)])
            await merge_all(database)

    writing = asyncio.create_task(write())
    for _ in range(3):
        await erasure.erase("default", USER, "ops")
    stop.set()
    await writing
    await erasure.erase("default", USER, "ops")
    await assert_gone(sql, lake)
    await assert_rollups_are_right(database)
    await export_all(database, lake)
    await assert_lake_is_right(sql, lake)


async def test_a_log_that_is_sent_again_is_counted_once(database, sql, erasure):
    """It is the user's again, as any log that comes later."""
    row = row_at(1)._replace(**NAMED)
    await insert(database, [row])
    await erasure.erase("default", USER, "ops")
    await insert(database, [row._replace(receive_time=LATER), row_at(1)._replace(**NAMED)])
    assert await sql.fetchval("SELECT count(*) FROM logs") == 2
    assert await sql.fetchval("SELECT count(*) FROM logs WHERE user_id = $1", USER) == 2
    await assert_rollups_are_right(database)


async def test_it_is_noted_who_erased_how_much_and_not_whom(database, sql, erasure):
    await insert(database, rows_of_all(9))
    await erasure.erase("default", USER, "Ada of operations")
    (noted,) = await list_erasures(database, 10)
    assert (noted.operator, noted.log_count) == ("Ada of operations", 3)
    assert noted.finish_time is not None
    assert noted.user_sha256 == digest_user(noted.erasure_id, USER)
    assert noted.user_sha256 != digest_user(noted.erasure_id, "other")
    assert USER not in await dump(sql)


async def test_backups_and_erasures_exclude_each_other(database, database_url, erasure, monkeypatch):
    monkeypatch.setattr("storage.backups._LOCK_TIMEOUT", "10ms")
    settings = StorageSettings(database_url=database_url)
    async with read_snapshot(settings):
        with pytest.raises(ErasureBusy, match="backup"):
            await erasure.erase("default", USER, "ops")
    async with log_erasure.only_erasure(database):
        with pytest.raises(ErasureBusy):
            await erasure.erase("default", USER, "ops")
        with pytest.raises(StorageUnavailable, match="erased"):
            async with read_snapshot(settings):
                pytest.fail("the backup would hold a part of the user")
    await erasure.erase("default", USER, "ops")


# -- payloads --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "erased"),
    [
        ({"unparsable": "a user-4711 b"}, {"unparsable": "[erased]"}),
        ({"unparsable": "somebody"}, {"unparsable": "somebody"}),
        ({"user_id": "user-47110", "tags": ["t"]}, {"user_id": "user-47110", "tags": ["t"]}),
        ({"conversation_id": "c", "cost": 7}, {"conversation_id": "", "cost": 7}),
        ([{"a": [{"user_id": USER, "model": "m"}]}], [{"a": [{"user_id": "", "model": "m"}]}]),
        ({"user_id": USER, "session_id": "s"}, {"user_id": "", "session_id": "erased"}),
        ("text", "text"),
    ],
)  # fmt: skip
def test_a_payload_without_the_user(payload, erased):
    user = UserData("default", USER, ["c"])
    assert json.loads(erase_payload(json.dumps(payload), user)) == erased


async def test_a_user_whose_id_stands_in_the_placeholder_ends(database, sql):
    await add_letter(sql, {"unparsable": "erased"})
    erasure = UserErasure(database, None, 60.0, silent)
    assert (await erasure.erase("default", "erased", "ops")).dead_letter_count == 1
    assert not (await erasure.find("default", "erased"))[0]


# -- kill -9 ---------------------------------------------------------------------------------------------

RUN = """
import asyncio
from analytics.lake.settings import LakeSettings
from stack.erasure import UserErasure
from storage.pool import Database
from storage.settings import StorageSettings

url, lake = sys.argv[1:]
store = LakeSettings(url=lake).open_store()
database = Database(StorageSettings(database_url=url))
asyncio.run(UserErasure(database, store, 60.0, lambda *_: None).erase("default", "user-4711", "ops"))
"""
KILLS = {
    "kept": (
        "stack.erasure:erase_dead_letters",
        "stack.erasure:export_hour",
        "analytics.lake.exporter:_publish",
        "stack.erasure:update_manifest",
        "stack.erasure:erase_conversations",
        "stack.erasure:finish_erasure",
    ),
    "dropped": (
        "storage.lake:LockedHour.note_rewrite",
        "analytics.lake.folder:FolderStore.publish",
        "stack.erasure:note_lake_file",
        "stack.erasure:update_manifest",
        "stack.erasure:erase_conversations",
    ),
}
"""Where it dies, for logs that Postgres has and for those that the lake alone has."""


async def is_free(database):
    """Tell whether no erasure holds the lock."""
    try:
        async with only_erasure(database):
            return True
    except ErasureBusy:
        return False


@pytest.mark.parametrize(("days", "where"), [(days, where) for days in KILLS for where in KILLS[days]])
async def test_a_killed_erasure_is_finished_by_the_next(
    database, database_url, sql, lake, erasure, days, where
):
    conversation = await make_conversation(sql)
    unnamed = row_at(3.5)._replace(**{**NAMED, "user_id": "", "conversation_id": conversation})
    await insert(database, [*rows_of_all(), unnamed])
    await add_letter(sql, {"user_id": USER, "input_preview": SECRET})
    await export_all(database, lake)
    if days == "dropped":
        await sql.execute("SELECT drop_days_before(current_date)")
    await asyncio.to_thread(die_at, where, RUN, database_url, lake.url)
    assert (await list_erasures(database, 10))[0].finish_time is None
    await eventually(lambda: is_free(database))  # Postgres notices the death when it next reads
    await erasure.erase("default", USER, "ops")
    await assert_gone(sql, lake)
    await assert_rollups_are_right(database)
    if days == "dropped":
        await assert_files_are_as_noted(database, lake)
    else:
        sweep(lake)  # an export does it after an hour
        assert await assert_lake_is_right(sql, lake) == 61


# -- the command -----------------------------------------------------------------------------------------


@pytest.fixture
def run(database_url, lake, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("LLM_OBSERVE_LAKE_URL", lake.url)

    async def run_(*arguments: str, answer: str = "") -> tuple[int, str]:
        done = await asyncio.to_thread(
            CliRunner().invoke, cli, ["erase", *arguments], input=answer, standalone_mode=False
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            return 1, f"{done.output}{done.exception}"
        return done.exit_code, done.output

    return run_


async def test_the_command_looks_first_and_asks(database, sql, lake, run):
    await insert(database, rows_of_all())
    before = await dump(sql)
    _, said = await run("--user", USER, "--dry-run")
    assert said.startswith("20 logs, 0 conversations with 0 messages, 0 dead letters, 0 files")
    await run("--user", USER, answer="n\n")
    assert await dump(sql) == before
    _, said = await run("--user", USER, "--yes")
    assert "erased: 20 logs, 0 conversations" in said
    await assert_gone(sql, lake)
    _, said = await run("--list")
    assert getpass.getuser() in said
    assert USER not in said


@pytest.mark.parametrize("user", ["ann@example.org", "+1 415 555 0100"])
async def test_a_user_who_is_stored_redacted_is_refused(run, user):
    status, said = await run("--user", user, "--yes")
    assert status == 1
    assert "nothing tells this user from others" in said
    assert user not in said


async def test_a_user_must_be_named(run):
    assert "--user" in (await run())[1]
