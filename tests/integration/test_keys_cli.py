"""`llm-observe projects` and `keys`: the first key needs no server."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner
from llm_observe.redaction import Redactor

from stack.cli.main import cli
from stack.errors import StackError
from storage import api_keys


@pytest.fixture
def run(database_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)

    async def invoke(*words: str):
        return await asyncio.to_thread(CliRunner().invoke, cli, words)

    return invoke


async def test_a_key_is_created_shown_once_listed_and_revoked(run, database):
    assert "created project acme" in (await run("projects", "create", "acme", "--name", "Acme Inc")).output
    assert "Acme Inc" in (await run("projects", "list")).output
    created = await run("keys", "create", "acme", "--role", "ingest", "--role", "read", "--days", "30")
    secret = created.stdout.strip()
    row = await api_keys.find_api_key(database, api_keys.prefix_of(secret))
    assert row is not None
    assert (row.roles, row.project_id) == (["ingest", "read"], "acme")
    assert Redactor().redact(f"my key {secret}") == "my key [API_KEY]"
    assert row.secret_sha256 == api_keys.hash_of(secret)
    listed = (await run("keys", "list", "acme")).output
    assert row.prefix in listed
    assert secret not in listed
    assert "active" in listed
    assert "revoked" in (await run("keys", "revoke", str(row.api_key_id))).output
    assert "revoked" in (await run("keys", "list", "acme")).output
    assert await api_keys.find_api_key(database, api_keys.prefix_of(secret)) is None


async def test_errors_say_what_to_do(run):
    for words, hint in (
        (("projects", "create", "default"), "already"),
        (("projects", "create", "No Such"), "lower-case"),
        (("keys", "create", "nobody", "--role", "read"), "projects create nobody"),
        (("keys", "list", "nobody"), "project nobody not found; there are: default"),
        (("keys", "revoke", "00000000-0000-0000-0000-000000000000"), "keys list"),
    ):
        result = await run(*words)
        assert isinstance(result.exception, StackError)
        assert hint in str(result.exception)
    assert (await run("keys", "create", "default", "--role", "king")).exit_code == 2
    assert "keys create default" in (await run("keys", "list")).output
