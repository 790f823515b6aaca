"""Wrapped clients and their answers keep their types, names, signatures and attributes."""

from __future__ import annotations

import abc
import contextlib
import copy
import inspect
import pickle
from typing import Any

import llm_observe
import openai
import pytest
from client_kinds import MAKERS, PortableOpenAI, ask, build
from llm_observe import _stream_ends
from openai_wire import CHUNKS, COMPLETION, QUESTION, make_async_client, make_client
from vendor_wire import Anthropic, Gemini, OpenAI


def ours(name: str) -> bool:
    """Return whether a name is the SDK's, or of what Python keeps on a class when an object is copied."""
    return name.startswith("_llm_observe") or name == "__slotnames__"


def signatures(thing: Any) -> dict[str, str]:
    """Return the signature and docstring of every method, and whether it is a coroutine function."""
    methods = {}
    for name in dir(type(thing)):
        method = inspect.getattr_static(type(thing), name)
        if inspect.isfunction(method) and not ours(name):
            bound = getattr(thing, name)
            methods[name] = f"{inspect.signature(bound)} {inspect.iscoroutinefunction(bound)} {bound.__doc__}"
    return methods


def assert_same(wrapped: Any, plain: Any) -> None:
    assert type(wrapped) == type(plain)  # noqa: E721 - as applications and vendors compare
    assert type(plain) == type(wrapped)  # noqa: E721 - as above
    assert type(wrapped) in (int, type(plain))
    assert hash(type(wrapped)) == hash(type(plain))
    assert isinstance(wrapped, type(plain))
    assert isinstance(plain, type(wrapped))
    assert issubclass(type(plain), type(wrapped))
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        assert getattr(type(wrapped), name) == getattr(type(plain), name)
    assert repr(wrapped).split(" at ")[0] == repr(plain).split(" at ")[0]
    assert {name for name in vars(wrapped) if not ours(name)} == set(vars(plain))
    assert [name for name in dir(wrapped) if not ours(name)] == [
        name for name in dir(plain) if not ours(name)
    ]
    assert signatures(wrapped) == signatures(plain)


@pytest.fixture(params=MAKERS)
def make(request) -> Any:
    maker, kind = MAKERS[request.param]
    return lambda: maker(kind)


def test_a_wrapped_client_looks_unwrapped(make, recorder):
    wrapped, plain = make(), make()
    before = set(vars(wrapped))
    assert llm_observe.wrap(wrapped) is wrapped
    assert_same(wrapped, plain)
    assert set(vars(wrapped)) == before
    if hasattr(plain, "models") and hasattr(plain.models, "generate_content"):
        assert_same(wrapped.models, plain.models)


VENDORS: dict[str, Any] = {"openai": OpenAI, "anthropic": Anthropic, "gemini": Gemini}


@pytest.mark.parametrize("name", VENDORS)
def test_a_stream_looks_unwrapped(name, recorder):
    vendor, other = VENDORS[name](), VENDORS[name]()
    llm_observe.unwrap(other.client)
    wrapped, plain = vendor.stream(), other.stream()
    assert type(wrapped) is type(plain)
    if name != "gemini":  # its streams are generators
        assert type(wrapped._iterator) is type(plain._iterator)
        assert_same(wrapped, plain)
    assert list(wrapped)
    assert len(recorder.calls) == 1


@pytest.mark.parametrize("name", VENDORS)
async def test_an_asynchronous_stream_looks_unwrapped(name, recorder):
    vendor = VENDORS[name]()
    wrapped = await vendor.astream(vendor.aclient())
    plain = await vendor.astream(llm_observe.unwrap(vendor.aclient()))
    assert type(wrapped) is type(plain)
    if name != "gemini":
        assert type(wrapped._iterator) is type(plain._iterator)
        assert_same(wrapped, plain)
    assert [chunk async for chunk in wrapped]
    assert len(recorder.calls) == 1


def test_a_copy_of_a_stream_continues_it(recorder):
    client, _ = make_client(CHUNKS)
    stream = client.chat.completions.create(model="m", messages=QUESTION, stream=True)
    seen = [next(stream)]
    seen += list(copy.copy(stream))
    assert len(seen) == len(CHUNKS)
    assert recorder.only.output_preview == "all is well"


def raw_response(client: Any, **options: Any) -> Any:
    return client.chat.completions.with_raw_response.create(model="m", messages=QUESTION, **options)


def test_a_raw_response_looks_unwrapped(recorder):
    client, _ = make_client(CHUNKS)
    wrapped = raw_response(client, stream=True)
    assert_same(wrapped, raw_response(llm_observe.unwrap(client), stream=True))


@pytest.mark.parametrize("parsers", [("raw", "raw"), ("copy", "raw"), ("raw", "copy"), ("copy", "copy")])
def test_a_raw_stream_parsed_twice_is_read_once(recorder, parsers):
    client, _ = make_client(CHUNKS)
    raw = raw_response(client, stream=True)
    known = {"raw": raw, "copy": copy.copy(raw)}
    first, second = (known[parser].parse() for parser in parsers)
    assert second is first
    assert len(list(first)) == len(CHUNKS)
    assert recorder.only.output_preview == "all is well"


def test_a_raw_response_may_be_dropped_before_its_stream_is_read(recorder):
    client, _ = make_client(CHUNKS)
    stream = raw_response(client, stream=True).parse()
    assert recorder.calls == []
    assert len(list(stream)) == len(CHUNKS)
    assert recorder.only.output_preview == "all is well"


@pytest.mark.parametrize("way", ["with_raw_response", "with_streaming_response"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_asynchronous_raw_response_is_recorded_once(recorder, way, stream):
    client, _ = make_async_client(CHUNKS if stream else COMPLETION)
    pending = getattr(client.chat.completions, way).create(model="m", messages=QUESTION, stream=stream)
    async with contextlib.AsyncExitStack() as stack:
        raw = await (stack.enter_async_context(pending) if hasattr(pending, "__aenter__") else pending)
        parsed = [raw.parse(), copy.copy(raw).parse()]
        first, other = [await each if inspect.isawaitable(each) else each for each in parsed]
        assert first is other
        if stream:
            assert len([chunk async for chunk in first]) == len(CHUNKS)
    assert recorder.only.output_preview == "all is well"
    assert recorder.calls[0] not in _stream_ends._open_streams


def test_a_raw_response_never_parsed_is_recorded_when_it_is_dropped(recorder):
    client, _ = make_client(CHUNKS)
    raw = raw_response(client, stream=True)
    assert recorder.calls == []
    del raw
    assert len(recorder.calls) == 1


class Registered(PortableOpenAI):
    """A class that registers its subclasses, and whose instances refuse a new class."""

    known: list[type] = []  # noqa: RUF012 - as applications write it

    def __init_subclass__(cls, *, listed: bool) -> None:
        if listed:
            Registered.known.append(cls)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "__class__":
            raise AttributeError(name)
        super().__setattr__(name, value)


class Listed(Registered, listed=True):
    """A registered subclass."""


class Abstract(PortableOpenAI, abc.ABC):
    """A class whose metaclass is not ``type``."""


@pytest.mark.parametrize("kind", [Listed, Abstract])
async def test_an_applications_subclass_can_be_wrapped(kind, recorder):
    client = llm_observe.wrap(build(kind))
    assert_same(client, build(kind))
    for other in (client, copy.copy(client), pickle.loads(pickle.dumps(client))):  # noqa: S301 - our own
        await ask(other)
    assert len(recorder.calls) == 3
    assert Registered.known == [Listed]
    assert type(llm_observe.unwrap(client)) is kind


async def test_a_subclass_of_a_wrapped_clients_class_can_be_wrapped(recorder):
    base = llm_observe.wrap(build(PortableOpenAI))
    derived = type("Derived", (type(base),), {})
    client = llm_observe.wrap(build(derived))
    assert derived != PortableOpenAI
    await ask(client)
    assert len(recorder.calls) == 1
    assert type(llm_observe.unwrap(client)) is derived


def test_a_stand_in_class_survives_pickling_and_copying(recorder):
    stand_in = type(llm_observe.wrap(build(openai.OpenAI)))
    assert pickle.loads(pickle.dumps(stand_in)) is stand_in  # noqa: S301 - our own
    assert copy.deepcopy(stand_in) is stand_in


def test_wrapping_leaves_the_vendors_classes_unchanged(recorder):
    before = dict(vars(openai.OpenAI))
    llm_observe.wrap(build(openai.OpenAI))
    assert dict(vars(openai.OpenAI)) == before
