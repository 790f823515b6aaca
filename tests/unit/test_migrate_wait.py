"""`llm-observe migrate --wait`: how long a database is waited for that is away, or not migrated yet."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from stack.cli import database
from stack.cli.main import cli
from storage.errors import SchemaMismatch, StorageError, StorageUnavailable


@pytest.fixture
def migrate(monkeypatch):
    """Run the command against a database that first fails with the given errors; only waiting takes time."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@127.0.0.1:1/none")
    seconds = [0.0]

    async def sleep(pause_s: float) -> None:
        seconds[0] += pause_s

    # The names of this module alone: other threads of the tests' process sleep too.
    monkeypatch.setattr(database, "asyncio", SimpleNamespace(run=asyncio.run, sleep=sleep))
    monkeypatch.setattr(database, "time", SimpleNamespace(monotonic=lambda: seconds[0]))

    def run(errors: list[Exception], *arguments: str):
        async def attempt(_settings: object, **_options: object) -> list[str]:
            if errors:
                raise errors.pop(0)
            return ["0001_initial"]

        monkeypatch.setattr(database, "migrate_database", attempt)
        done = CliRunner().invoke(cli, ["migrate", *arguments])
        return done, seconds[0]

    return run


def test_it_waits_for_a_database_that_starts(migrate):
    away = StorageUnavailable("the database is unavailable: ConnectionRefusedError")
    starting = StorageUnavailable("the database is unavailable: CannotConnectNowError 57P03")
    done, waited_s = migrate([away, away, starting], "--wait", "10")
    assert "applied: 0001_initial" in done.stdout
    assert waited_s == 1.5
    assert done.stderr.splitlines() == [f"waiting: {away}", f"waiting: {starting}"]


@pytest.mark.parametrize(("arguments", "longest_s"), [((), 0.0), (("--wait", "2"), 2.0)])
def test_it_gives_up_in_time(migrate, arguments, longest_s):
    away = StorageUnavailable("the database is unavailable: ConnectionRefusedError")
    done, waited_s = migrate([away] * 100, *arguments)
    assert done.exception is away
    assert waited_s == longest_s


def test_what_waiting_does_not_mend_is_reported_at_once(migrate):
    refused = StorageError("the database rejected migration 0001_initial")
    done, waited_s = migrate([refused], "--wait", "10")
    assert done.exception is refused
    assert waited_s == 0


def test_a_check_waits_for_a_migration_and_makes_none(migrate, monkeypatch):
    old = SchemaMismatch("the database schema is older than this release")
    errors: list[Exception] = [old, old]

    async def check(_database: object) -> None:
        if errors:
            raise errors.pop(0)

    monkeypatch.setattr(database, "check_schema", check)
    refused = StorageError("migrations are not for --check")
    done, waited_s = migrate([refused], "--check", "--wait", "10")
    assert done.exit_code == 0
    assert done.stdout == "the schema is up to date\n"
    assert done.stderr.splitlines() == [f"waiting: {old}"]
    assert waited_s == 1.0


def test_a_check_fails_where_a_migration_is_missing(migrate, monkeypatch):
    old = SchemaMismatch("the database schema is older than this release")

    async def check(_database: object) -> None:
        raise old

    monkeypatch.setattr(database, "check_schema", check)
    done, waited_s = migrate([], "--check")
    assert done.exception is old
    assert waited_s == 0
