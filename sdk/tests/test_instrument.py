"""instrument() records every client of the process once, and changes nothing else."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock, patch

import httpx2
import llm_observe
import openai
import pytest
from client_kinds import FIRST, MAKERS, PORTABLE, SECOND, PortableOpenAI, answer, ask, build, sent
from llm_observe import _instrument
from openai_wire import QUESTION
from test_identity import signatures


@pytest.fixture
def instrumented() -> Iterator[None]:
    llm_observe.instrument()
    yield
    llm_observe.uninstrument()


@pytest.fixture(params=MAKERS)
def make(request) -> Any:
    maker, kind = MAKERS[request.param]
    return functools.partial(maker, kind)


def classes_of(client: Any) -> list[type]:
    models = [client.models] if hasattr(client, "models") else []
    return [base for thing in (client, *models) for base in type(thing).__mro__]


async def test_every_client_is_recorded_once_whenever_it_was_made(make, recorder):
    early = make()
    llm_observe.instrument()
    late = make(SECOND)
    sent.clear()
    await ask(early)
    await ask(late)
    assert len(recorder.calls) == 2
    assert [key.removeprefix("Bearer ") for _, key in sent] == [FIRST, SECOND]
    llm_observe.uninstrument()
    await ask(early)
    await ask(late)
    assert len(recorder.calls) == 2


STEPS: dict[str, tuple[str, ...]] = {
    "wrapped before": ("wrap", "instrument"),
    "wrapped after": ("instrument", "wrap"),
    "copied": ("instrument", "wrap", "copy"),
    "instrumented twice": ("instrument", "instrument"),
    "instrumented again": ("instrument", "uninstrument", "instrument"),
    "unwrapped": ("instrument", "wrap", "unwrap"),
}


def take(step: str, client: Any) -> Any:
    """Take a step; return the client to go on with."""
    if step.endswith("instrument"):
        getattr(llm_observe, step)()
        return client
    return copy.copy(client) if step == "copy" else getattr(llm_observe, step)(client)


@pytest.mark.parametrize("way", STEPS)
async def test_a_call_makes_one_log_however_often_it_could(way, make, recorder):
    client = make()
    try:
        for step in STEPS[way]:
            client = take(step, client)
        await ask(client)
        assert len(recorder.calls) == 1
    finally:
        llm_observe.uninstrument()


async def test_a_wrapped_client_stays_wrapped(make, recorder):
    llm_observe.instrument()
    client = llm_observe.wrap(make())
    llm_observe.uninstrument()
    await ask(client)
    assert len(recorder.calls) == 1


def test_clients_look_the_same(make):
    plain = make()
    things = [plain, plain.models] if hasattr(plain, "models") else [plain]
    before = [(type(thing), signatures(thing), dir(thing)) for thing in things]
    namespaces = {base: dict(vars(base)) for base in classes_of(plain)}
    llm_observe.instrument()
    assert [(type(thing), signatures(thing), dir(thing)) for thing in things] == before
    assert type(make()) is type(plain)
    llm_observe.uninstrument()
    assert {base: dict(vars(base)) for base in namespaces} == namespaces


@pytest.mark.parametrize("kind", PORTABLE)
async def test_copies_and_pickles_are_recorded(kind, recorder, instrumented):
    client = build(kind)
    for other in (copy.copy(client), client.copy(), pickle.loads(pickle.dumps(client))):  # noqa: S301 - our own
        await ask(other)
        assert type(other) is kind
    assert len(recorder.calls) == 3


class Overriding(PortableOpenAI):
    """A framework's subclass that overrides the method we do."""

    def request(self, *arguments: Any, **options: Any) -> Any:
        return super().request(*arguments, **options)


async def test_a_subclass_that_overrides_the_method_is_recorded_once(recorder, instrumented):
    await ask(build(Overriding))
    assert len(recorder.calls) == 1


async def test_another_library_may_replace_the_method_too(recorder, monkeypatch):
    seen = []
    llm_observe.instrument()
    ours = openai.OpenAI.request

    @functools.wraps(ours)
    def theirs(self, *arguments, **options):
        seen.append(1)
        return ours(self, *arguments, **options)

    monkeypatch.setattr(openai.OpenAI, "request", theirs)
    client = build(openai.OpenAI)
    await ask(client)
    llm_observe.uninstrument()
    await ask(client)  # theirs still calls ours, which only passes on
    llm_observe.instrument()
    await ask(client)
    assert (len(seen), len(recorder.calls)) == (3, 2)
    monkeypatch.undo()
    llm_observe.uninstrument()
    assert "request" not in vars(openai.OpenAI)


async def test_threads_may_instrument_at_once(recorder):
    threads = [threading.Thread(target=llm_observe.instrument) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    await ask(build(openai.OpenAI))
    llm_observe.uninstrument()
    assert len(recorder.calls) == 1
    assert "request" not in vars(openai.OpenAI)


def test_coroutine_functions_stay_so(instrumented):
    assert inspect.iscoroutinefunction(openai.AsyncOpenAI.request)
    assert not inspect.iscoroutinefunction(openai.OpenAI.request)


def test_an_error_of_ours_does_not_fail_an_import(swallowing):
    class NoPackage:
        @property
        def OpenAI(self) -> None:  # noqa: N802 - the vendor's name
            raise RuntimeError

    _instrument._on_import("openai", NoPackage())  # type: ignore[arg-type] # stands for a vendor's new version


def test_an_application_needs_no_vendor():
    code = (
        "import sys, llm_observe\n"
        "for name in ('openai', 'anthropic', 'google.genai', 'google'): sys.modules[name] = None\n"
        "llm_observe.instrument(); llm_observe.instrument(); llm_observe.uninstrument()\n"
        "assert not [finder for finder in sys.meta_path if 'llm_observe' in type(finder).__module__]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


MOCKED = ("openai.OpenAI", "openai.AsyncOpenAI", "anthropic.Anthropic", "google.genai.Client")


@pytest.mark.parametrize("name", MOCKED)
async def test_a_mock_in_place_of_a_client_changes_nothing(name, make, recorder):
    """An application may call instrument() while its tests have a mock there."""
    client = make()
    with patch(name):
        llm_observe.instrument()
        llm_observe.uninstrument()
        llm_observe.instrument()
    await ask(client)
    llm_observe.uninstrument()
    assert len(recorder.calls) == 1
    assert "request" not in vars(openai.OpenAI)


async def test_a_mock_in_place_of_a_package_changes_nothing(monkeypatch, recorder):
    client = build(openai.OpenAI)
    for name in ("anthropic", "google.genai"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    llm_observe.instrument()
    await ask(client)
    llm_observe.uninstrument()
    assert len(recorder.calls) == 1


async def test_the_clients_of_the_package_itself_are_recorded(monkeypatch, recorder, instrumented):
    transport = httpx2.MockTransport(answer)
    monkeypatch.setattr(openai, "api_key", FIRST)
    monkeypatch.setattr(openai, "http_client", httpx2.Client(transport=transport))
    monkeypatch.setattr(openai, "_client", None)
    openai.chat.completions.create(model="m", messages=QUESTION)  # type: ignore[arg-type] # plain dicts
    assert len(recorder.calls) == 1
