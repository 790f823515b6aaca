"""observe() and session() are transparent: a generator or coroutine behaves as if it were not decorated."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import gc
import inspect
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import llm_observe
import pytest
from llm_observe import _span, _taps
from llm_observe._call import Call
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from session_steps import current_id

DECORATORS: dict[str, Callable[[Any], Any]] = {
    "observe": llm_observe.observe(provider="p", model="m"),
    "observe as a span": llm_observe.observe(operation="execute_tool"),
    "session": llm_observe.session("s1"),
}


@pytest.fixture(params=DECORATORS)
def decorate(request, recorder) -> Any:
    return DECORATORS[request.param]


def talk():
    """Yield what it receives."""
    received = yield "a"
    while True:
        try:
            if received == "end":
                return "returned"
            if received == "fail":
                raise LookupError("failed")
            received = yield received
        except KeyError:
            received = yield "caught"


async def atalk():
    """Yield what it receives."""
    received = yield "a"
    while True:
        try:
            if received == "end":
                return
            if received == "fail":
                raise LookupError("failed")
            received = yield received
        except KeyError:
            received = yield "caught"


CONVERSATIONS: dict[str, list[Any]] = {
    "read": [None],
    "sent": [None, "x", "y"],
    "thrown and caught": [None, "x", KeyError("k"), "y"],
    "thrown and not caught": [None, ValueError("v")],
    "ended": [None, "x", "end"],
    "failed": [None, "x", "fail"],
    "thrown before the start": [ValueError("v")],
}


def drive(generator: Any, steps: list[Any]) -> list[Any]:
    seen: list[Any] = []
    try:
        for step in steps:
            thrown = isinstance(step, BaseException)
            seen.append(generator.throw(step) if thrown else generator.send(step))
        generator.close()
        seen.append("closed")
    except StopIteration as end:
        seen.append(("returned", end.value))
    except (Exception, GeneratorExit) as error:  # noqa: BLE001 - part of what is compared
        seen.append(repr(error))
    return seen


async def adrive(generator: Any, steps: list[Any]) -> list[Any]:
    seen: list[Any] = []
    try:
        for step in steps:
            thrown = isinstance(step, BaseException)
            seen.append(await (generator.athrow(step) if thrown else generator.asend(step)))
        await generator.aclose()
        seen.append("closed")
    except StopAsyncIteration:
        seen.append("ended")
    except (Exception, GeneratorExit) as error:  # noqa: BLE001 - as above
        seen.append(repr(error))
    return seen


@pytest.mark.parametrize("conversation", CONVERSATIONS)
async def test_what_is_sent_thrown_and_returned_passes_through(decorate, conversation):
    steps = CONVERSATIONS[conversation]
    assert drive(decorate(talk)(), steps) == drive(talk(), steps)
    assert await adrive(decorate(atalk)(), steps) == await adrive(atalk(), steps)


async def ask() -> str:
    return "a"


def stay():
    """Answer its end, once."""
    try:
        yield "a"
    except GeneratorExit:
        yield "stayed"


async def astay():
    """Answer its end, once."""
    try:
        yield "a"
    except GeneratorExit:
        yield "stayed"


async def test_a_generator_may_answer_its_end(decorate):
    steps = [None, GeneratorExit(), "x"]
    assert drive(decorate(stay)(), steps) == drive(stay(), steps) == ["a", "stayed", ("returned", None)]
    assert await adrive(decorate(astay)(), steps) == await adrive(astay(), steps)


class Held:
    """An argument of the application."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("thrown", [ValueError, KeyError, GeneratorExit])
async def test_an_arguments_memory_is_freed_with_the_generator(decorate, thrown, no_collector):
    """``talk`` catches the KeyError alone."""

    @decorate
    def steps(_held):
        yield from talk()

    @decorate
    async def asteps(_held):
        received = yield "a"
        while True:
            try:
                received = yield received
            except KeyError:
                received = "caught"

    held, error = [Held(), Held()], thrown()
    alive = [weakref.ref(each) for each in held]
    generator = steps(held.pop())
    next(generator)
    with contextlib.suppress(thrown):
        generator.throw(error)
    agenerator = asteps(held.pop())
    await anext(agenerator)
    with contextlib.suppress(thrown):
        await agenerator.athrow(error)
    await agenerator.aclose()
    del generator, agenerator, error
    assert [each() for each in alive] == [None, None]


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_a_method_may_be_decorated_on_either_side(decorate, kind):
    class Owner:
        inside = kind(decorate(lambda *owner: len(owner)))
        outside = decorate(kind(lambda *owner: len(owner)))

    assert Owner.inside() == Owner.outside() == Owner().outside() == (kind is classmethod)


@pytest.mark.parametrize("function", [talk, atalk, ask])
def test_a_decorated_function_is_of_its_kind(decorate, function):
    decorated = decorate(function)
    for is_of_kind in (
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.iscoroutinefunction,
    ):
        assert is_of_kind(decorated) == is_of_kind(function)
    assert (decorated.__name__, decorated.__doc__) == (function.__name__, function.__doc__)


async def read(returned: Any) -> Any:
    """Return what comes of a value that is yet to run."""
    if inspect.isawaitable(returned):
        return await returned
    if inspect.isasyncgen(returned):
        return [each async for each in returned]
    if isinstance(returned, concurrent.futures.Future):
        return returned.result()
    return list(returned)


def future_of(value: Any) -> Any:
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.set_result(value)
    return future


async def test_a_coroutine_that_is_a_generator_can_be_awaited(decorate):
    def one():
        yield from asyncio.sleep(0).__await__()
        return "a"

    assert await decorate(types.coroutine(one))() == "a"


async def test_an_argument_that_does_not_fit_is_no_call(recorder):
    """The function has not run, and nothing is left open."""
    for decorate in (DECORATORS["observe"], DECORATORS["observe as a span"]):
        with pytest.raises(TypeError):
            await decorate(ask)("too many")
        with pytest.raises(TypeError):
            next(decorate(talk)("too many"))
        with pytest.raises(TypeError):
            await anext(decorate(atalk)("too many"))
    assert recorder.calls == recorder.finished_spans == []
    assert not _span._open


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("make", [lambda: talk(), lambda: atalk(), lambda: ask()])  # noqa: PLW0108 - not of these kinds
def test_what_is_returned_and_never_run_is_cancelled(recorder, make):
    for name in ("observe", "observe as a span"):
        returned = DECORATORS[name](make)()
        del returned
    (span,) = recorder.finished_spans
    assert (recorder.only.outcome, span.outcome) == (OUTCOME_CANCELLED, OUTCOME_CANCELLED)


async def two():
    yield "a"
    yield "b"


RETURNED: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "a coroutine": (lambda: ask(), "a", "a"),  # noqa: PLW0108 - not a coroutine function
    "a partial coroutine": (functools.partial(asyncio.sleep, 0, "a"), "a", "a"),
    "a task": (lambda: asyncio.ensure_future(ask()), "a", "a"),
    "a future": (lambda: future_of("a"), "a", "a"),
    "a generator": (lambda: (each for each in "ab"), ["a", "b"], "ab"),
    "an asynchronous generator": (lambda: two(), ["a", "b"], "ab"),  # noqa: PLW0108 - as above
}


@pytest.mark.parametrize("kind", RETURNED)
async def test_a_function_may_return_what_is_yet_to_run(recorder, kind):
    make, value, text = RETURNED[kind]
    returned = DECORATORS["observe"](make)()
    if kind != "a future":
        assert recorder.calls == []
    assert await read(returned) == value
    await asyncio.sleep(0)
    assert (recorder.only.outcome, recorder.only.output_preview) == (OUTCOME_SUCCESS, text)


async def test_the_session_is_current_at_each_step(recorder):
    session = llm_observe.session("s1")

    @session
    def steps():
        yield current_id()
        yield current_id()

    @session
    async def asteps():
        yield current_id()
        await asyncio.sleep(0)
        yield current_id()

    @session
    async def one():
        await asyncio.sleep(0)
        return current_id()

    assert list(steps()) == ["s1", "s1"]
    assert [each async for each in asteps()] == ["s1", "s1"]
    assert await one() == "s1"
    assert current_id() is None
    async with llm_observe.session("s2") as name:
        assert (name, current_id()) == ("s2", "s2")
    assert current_id() is None


def error_named(name: str, *bases: type) -> BaseException:
    error: BaseException = type(name, bases, {})("gone")
    return error


CANCELLATIONS = {
    "asyncio": asyncio.CancelledError(),
    "futures": concurrent.futures.CancelledError(),
    "trio": error_named("Cancelled", BaseException),
    "gevent": error_named("GreenletExit", BaseException),
    "interrupt": KeyboardInterrupt(),
    "exit": SystemExit(1),
    "generator": GeneratorExit(),
}
FAILURES = {
    "gevent's time-out": error_named("Timeout", BaseException),
    "time-out": TimeoutError(),
    "error": ValueError("v"),
}


@pytest.mark.parametrize("name", CANCELLATIONS | FAILURES)
def test_cancellations_are_told_from_failures(recorder, name):
    error = (CANCELLATIONS | FAILURES)[name]

    @DECORATORS["observe"]
    def fail():
        raise error

    with pytest.raises(type(error)):
        fail()
    assert recorder.only.outcome == (OUTCOME_CANCELLED if name in CANCELLATIONS else OUTCOME_ERROR)
    if "time-out" in name:
        assert recorder.only.error_code == "timeout"


def test_a_prompt_is_cut_and_copied_when_it_is_recorded(recorder):
    llm_observe.observe(provider="p", model="m")(lambda _: "")("x" * 9_000_000)
    (call,) = recorder.calls
    assert sum(map(len, call.input_text)) == 4_000


def test_a_long_stream_keeps_no_more_than_a_preview_needs(recorder):
    """Chunks with and without text alternate, each of which the taps read in another way."""
    call = Call("openai", "chat", "m", recorder.submit)
    call.text_of, call.read_last = lambda chunk: chunk.choices[0].delta.content, lambda *_: None
    chunks = [_Chunk("x" * 500 if number % 2 else "") for number in range(1_000)]
    list(_taps.tap(iter(chunks), _Reader(), call))
    assert sum(map(len, call.output_chunks)) <= 8_000


class _Chunk:
    def __init__(self, text: str) -> None:
        self.content = text
        self.delta = self
        self.choices = [self]


class _Reader:
    def read_chunk(self, chunk: _Chunk, call: Call) -> bool:
        if chunk.content:
            call.note_first_token()
            call.add_output(chunk.content)
        return False

    def read_error(self, error: BaseException, call: Call) -> None: ...


@pytest.mark.parametrize("name", ["google.cloud.storage.client", "openai.other", "google.genaix"])
def test_a_client_of_another_package_is_refused(name):
    client = type("Client", (), {"__module__": name})()
    with pytest.raises(TypeError, match="does not support clients of type Client"):
        llm_observe.wrap(client)
