"""Files of the data folder that are damaged are named in a sentence, with what to do."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

from stack.cli.main import cli
from stack.data_dir import DataDir
from stack.errors import StackError
from stack.readiness import check_redis
from tests.support.ports import free_port

_ENTRY = {"pid": 1, "create_time": 1.5}
_NAMED = {**_ENTRY, "name": "worker"}
_STATE = {"supervisor": _ENTRY, "ports": {"grpc": 50051}, "processes": [_NAMED], "ready": True}


@pytest.fixture
def home(tmp_path):
    made = DataDir(tmp_path)
    made.create()
    return made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        json.dumps({**_STATE, "supervisor": {}}),
        json.dumps({**_STATE, "supervisor": {"pid": "1", "create_time": 1}}),
        json.dumps({**_STATE, "ports": []}),
        json.dumps({**_STATE, "ports": {"grpc": "50051"}}),
        json.dumps({**_STATE, "processes": [{}]}),
        json.dumps({**_STATE, "processes": [_ENTRY]}),
        json.dumps({**_STATE, "processes": None}),
    ],
)
def test_a_damaged_state_is_named(home, text, monkeypatch):
    (home.root / "state.json").write_text(text)
    with pytest.raises(StackError, match=r"state\.json is damaged; .* delete the file"):
        home.read_state()
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(home.root))
    done = CliRunner().invoke(cli, ["down"])
    assert isinstance(done.exception, StackError)


def test_a_state_is_read_as_it_was_written(home):
    assert home.read_state() == {}
    home.write_state(_STATE)
    assert home.read_state() == _STATE


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"postgres": 7}'])
def test_damaged_passwords_are_named(home, text):
    (home.root / "secrets.json").write_text(text)
    with pytest.raises(StackError, match=r"secrets\.json is damaged; .* start over"):
        home.secret("valkey")


def test_a_password_stays_the_same(home):
    assert home.secret("valkey") == home.secret("valkey") != home.secret("postgres")


async def test_a_redis_that_cannot_be_reached_is_named_without_its_password():
    port = free_port()
    with pytest.raises(StackError, match=rf"127\.0\.0\.1:{port} \(ConnectionError\).*REDIS_URL") as caught:
        await check_redis(f"redis://:hidden@127.0.0.1:{port}/0", wait_s=0)
    assert "hidden" not in str(caught.value)


async def test_a_redis_that_does_not_answer_is_named():
    async def say_nothing(reader, writer):
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent:
        with pytest.raises(StackError, match="TimeoutError"):
            await check_redis(f"redis://127.0.0.1:{port}/0", wait_s=0)


async def test_a_redis_that_refuses_the_password_is_named_at_once(stores):
    address = stores.valkey.url.rpartition("@")[2]
    with pytest.raises(StackError, match=r"REDIS_URL"):
        await check_redis(f"redis://:wrong@{address}", wait_s=3600)


async def test_a_redis_that_answers_will_do(stores):
    await check_redis(stores.valkey.url, wait_s=0)
