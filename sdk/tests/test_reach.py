"""The README lists every method of the vendors' clients, and says truly which are recorded."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import llm_observe
import pytest
import reach
from reach import ASYNC_CLIENTS, CLIENTS, Reached, call, methods_of

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


def says_recorded(row: Row) -> bool:
    return row.log.startswith("each call")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
async def test_every_method_is_in_the_table_and_recorded_as_it_says(recorder, record, client, asynchronous):
    rows = [row for row in TABLE if row.client == client]
    recorded: dict[str, bool] = {}
    found: dict[str, Row | None] = {}
    for make in (ASYNC_CLIENTS if asynchronous else CLIENTS)[client]:
        for path, method in methods_of(record(make())):
            found[path] = next((row for row in rows if row.fits(path)), None)
            if not path.endswith("connect"):  # see test_sockets.py
                recorder.calls.clear()
                await call(path, method)
                recorded[path] = recorded.get(path, False) or bool(recorder.calls)
    assert [path for path, row in found.items() if row is None] == []
    assert [row for row in rows if row not in found.values() and not asynchronous] == []
    assert {
        path: row.log
        for path, row in found.items()
        if row and path in recorded and recorded[path] != says_recorded(row)
    } == {}


KNOWN = {
    # methods that name a model and run none
    "openai": {"models.delete", "models.retrieve", "responses.input_tokens.count"}
    | {"beta.responses.input_tokens.count", "audio.voices.create", "chat.completions.list"}
    | {"beta.chat.completions.list"},
    "anthropic": {"messages.count_tokens", "beta.messages.count_tokens", "organization.rate_limits.list"}
    | {"beta.organization.rate_limits.list"},
    "google-genai": {"caches.create", "chats.create", "models.compute_tokens", "models.count_tokens"}
    | {"models.delete", "models.get", "models.update"},
}


@pytest.mark.parametrize("client", CLIENTS)
def test_no_method_that_names_a_model_is_taken_for_one_without_by_a_wildcard(client):
    """A later version of a package may have more: whether they run the model must be looked at."""
    rows = [row for row in TABLE if row.client == client]
    found = {
        path
        for make in CLIENTS[client]
        for path, method in methods_of(make())
        if "model" in inspect.signature(method).parameters
        and next(row for row in rows if row.fits(path)).log == "no: no model"
    }
    assert found == KNOWN[client]


RANDOM = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27}|(?<=-)[0-9a-f]{12}(?=')")
"""The boundaries of forms, idempotency keys, and the names of workers."""


@pytest.mark.filterwarnings("ignore")  # some come once, and would be errors
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
async def test_every_method_sends_the_same_bytes_as_unrecorded(
    recorder, record, client, asynchronous, monkeypatch
):
    recorder.config = recorder.config._replace(request_stream_usage=False)  # the only difference otherwise
    sent: list[tuple[str, str]] = []

    def note(request: httpx2.Request) -> None:
        parts = (request.method, request.url, request.headers.multi_items(), request.read())
        sent.append((path, RANDOM.sub("random", repr(parts))))
        raise Reached

    monkeypatch.setattr(reach, "_reach", note)
    clients = (ASYNC_CLIENTS if asynchronous else CLIENTS)[client]
    for make in clients:
        for path, method in methods_of(record(make())):
            await call(path, method)
    recorded, sent = sent, []
    assert recorder.calls
    llm_observe.uninstrument()
    for make in clients:
        for path, method in methods_of(make()):
            await call(path, method)
    assert recorded == sent
