"""Redis' error replies are named by their code, and no queued data gets into a log line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004 - redis' own

from storage.errors import StorageUnavailable
from worker.queue import outages
from worker.queue.outages import Outage, error_code, wait_out


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("NOREPLICAS Not enough good replicas to write.", "NOREPLICAS"),
        ("MISCONF Errors writing to the AOF file: No space left on device", "MISCONF"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
        ("READONLY You can't write against a read only replica.", "READONLY"),
        ("LOADING Valkey is loading the dataset in memory", "LOADING"),
        ("NOAUTH Authentication required.", "NOAUTH"),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE"),
        ("ERR unknown command 'XADD', with args beginning with: 'secret'", "ERR"),
    ],
)
def test_an_error_reply_is_named_by_its_code(reply, code):
    assert error_code(BaseParser.parse_error(reply)) == code


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ConnectionError("Error 111 connecting to 10.0.0.1"), "ConnectionError"),
        (ResponseError("Command # 1 (XADD logs * data PROMPT) of pipeline caused error"), "ResponseError"),
        (TimeoutError(), "TimeoutError"),
        (OSError("SECRET"), "OSError"),
    ],
)
def test_another_error_is_named_by_its_class(error, name):
    assert error_code(error) == name


class LogLines:
    """Collects log lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def warning(self, event, *, step, reason):
        self.lines.append((event, reason))

    def info(self, event, *, step):
        self.lines.append((event, ""))


@pytest.fixture
def log(monkeypatch):
    collected = LogLines()
    monkeypatch.setattr(outages, "logger", collected)
    monkeypatch.setattr(outages, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(outages, "_MAX_PAUSE_S", 0.004)
    return collected


async def test_a_step_is_retried_until_it_succeeds_and_each_reason_is_logged_once(log):
    errors = [*[TimeoutError()] * 5, StorageUnavailable("run `llm-observe migrate`"), ConnectionError()]

    async def step() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    assert await wait_out("check", step) == "done"
    assert log.lines == [
        ("waiting for a dependency", "TimeoutError"),
        ("waiting for a dependency", "run `llm-observe migrate`"),
        ("waiting for a dependency", "ConnectionError"),
        ("dependency is back", ""),
    ]


async def test_an_error_that_is_not_an_outage_is_raised(log):
    async def step() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised just above
        await wait_out("check", step)
    assert log.lines == []


async def test_pauses_grow_during_an_outage_and_restart_after_it(log, monkeypatch):
    pauses = []

    async def sleep(pause_s):
        pauses.append(pause_s)

    outage = Outage("read")
    # This module's name alone: other threads of the tests' process sleep too.
    monkeypatch.setattr(outages, "asyncio", SimpleNamespace(sleep=sleep))
    for _ in range(4):
        await outage.wait(OSError())
    outage.end()
    await outage.wait(OSError())
    assert pauses == [0.001, 0.002, 0.004, 0.004, 0.001]
