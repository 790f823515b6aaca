"""The README lists every method of the vendors' clients, and says truly which are recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import llm_observe
import pytest
import reach
from reach import CLIENTS, Reached, call, methods_of

README = Path(__file__).parents[1] / "README.md"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


class Row(NamedTuple):
    """A row of the table."""

    client: str
    patterns: tuple[str, ...]
    log: str

    def fits(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self.patterns)


def read_table() -> list[Row]:
    section = README.read_text(encoding="utf-8").partition("## What is recorded\n")[2].partition("\n## ")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")][2:]
    return [
        Row(client.strip(), tuple(re.findall(r"`([^`]+)`", methods)), log.strip())
        for client, methods, log in cells
    ]


TABLE = read_table()


@pytest.fixture(params=["wrap", "instrument"])
def record(request) -> Iterator[Callable[[Any], Any]]:
    """Have a client recorded."""
    if request.param == "wrap":
        yield llm_observe.wrap
        return
    llm_observe.instrument()
    yield lambda client: client
    llm_observe.uninstrument()


@pytest.mark.parametrize("client", CLIENTS)
def test_every_method_is_in_the_table_and_recorded_as_it_says(recorder, record, client):
    rows = [row for row in TABLE if row.client == client]
    recorded: dict[Row, dict[str, bool]] = {row: {} for row in rows}
    missing = []
    for make in CLIENTS[client]:
        for path, method in methods_of(record(make())):
            row = next((row for row in rows if row.fits(path)), None)
            if row is None:
                missing.append(path)
            elif path.endswith("connect"):
                recorded[row][path] = not row.log.startswith("no")  # see test_sockets.py
            else:
                recorder.calls.clear()
                call(path, method)
                recorded[row][path] = recorded[row].get(path, False) or bool(recorder.calls)
    assert not missing
    assert [row for row in rows if not recorded[row]] == []
    wrong = {
        path: row.log
        for row in rows
        for path, is_recorded in recorded[row].items()
        if is_recorded != row.log.startswith("each call") and not path.endswith("connect")
    }
    assert wrong == {}


RANDOM = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27}")
"""The boundaries of forms, and idempotency keys."""


@pytest.mark.filterwarnings("ignore")  # some come once, and would be errors
@pytest.mark.parametrize("client", CLIENTS)
def test_every_method_sends_the_same_bytes_as_unrecorded(recorder, record, client, monkeypatch):
    recorder.config = recorder.config._replace(request_stream_usage=False)  # the only difference otherwise
    sent: list[tuple[str, str]] = []

    def note(request: httpx2.Request) -> None:
        parts = (request.method, request.url, request.headers.multi_items(), request.read())
        sent.append((path, RANDOM.sub("random", repr(parts))))
        raise Reached

    monkeypatch.setattr(reach, "_reach", note)
    for make in CLIENTS[client]:
        for path, method in methods_of(record(make())):
            call(path, method)
    recorded, sent = sent, []
    assert recorder.calls
    llm_observe.uninstrument()
    for make in CLIENTS[client]:
        for path, method in methods_of(make()):
            call(path, method)
    assert recorded == sent
