"""Sessions add to the sessions around them, and streams belong to the session that requested them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import llm_observe
import pytest
from llm_observe._session import current_session
from session_steps import current_id
from vendor_wire import Anthropic, Gemini, OpenAI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

pytestmark = pytest.mark.usefixtures("no_session_is_left")


def _answer(user: str) -> Generator[Any]:
    with llm_observe.session(user_id=user, tags=[user]):
        yield current_session()
        with llm_observe.session(tags=["inner"]):
            yield current_session()


@pytest.mark.parametrize("outer", [None, "s0"])
def test_interleaved_generators_add_nothing_to_each_other(run_step, outer):
    with llm_observe.session(outer, tags=["outer"]) if outer else contextlib.nullcontext():
        first, second = _answer("ann"), _answer("bob")
        sessions = [run_step(next, steps) for steps in (first, second, first, second)]
        for steps in (second, first):
            run_step(steps.close)
    reaches = sessions[0].session_id == outer
    common = ("outer",) if reaches else ()
    assert [each.user_id for each in sessions] == ["ann", "bob", "ann", "bob"]
    assert [each.tags for each in sessions] == [
        (*common, "ann"),
        (*common, "bob"),
        (*common, "ann", "inner"),
        (*common, "bob", "inner"),
    ]
    assert len({each.session_id for each in sessions}) == (1 if reaches else 2)


def test_a_generator_adds_to_the_session_of_its_caller(run_step):
    def outer() -> Iterator[Any]:
        with llm_observe.session("s1", tags=["outer"]):
            yield from _answer("ann")
            yield next(_answer("bob"))

    steps = outer()
    sessions = [run_step(next, steps) for _ in range(3)]
    assert [each.session_id for each in sessions] == ["s1"] * 3
    assert [each.tags for each in sessions] == [("outer", "ann"), ("outer", "ann", "inner"), ("outer", "bob")]


async def test_a_generator_in_a_task_or_thread_adds_to_the_session_that_awaits_it():
    async def outer() -> AsyncIterator[list[Any]]:
        async def inner() -> Any:
            return next(_answer("ann"))

        with llm_observe.session("s1", tags=["outer"]):
            yield [await asyncio.create_task(inner()), await asyncio.to_thread(lambda: next(_answer("ann")))]

    (sessions,) = [each async for each in outer()]
    assert [(each.session_id, each.tags) for each in sessions] == [("s1", ("outer", "ann"))] * 2


async def test_a_generator_adds_to_the_session_of_a_dependency():
    @contextlib.asynccontextmanager
    async def dependency() -> AsyncIterator[None]:
        with llm_observe.session("s1", tags=["outer"]):
            yield

    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(dependency())
        steps = _answer("ann")
        assert next(steps).tags == ("outer", "ann")
        steps.close()


VENDORS: dict[str, Any] = {"openai": OpenAI, "anthropic": Anthropic, "gemini": Gemini}


@pytest.mark.parametrize("name", VENDORS)
def test_a_stream_belongs_to_the_session_that_requested_it(name, recorder, run_step):
    vendor = VENDORS[name]()
    with llm_observe.session("s1"):
        stream = vendor.stream()
    with llm_observe.session("s2"):
        assert run_step(lambda: [*stream, current_id()])[-1] in {"s2", None}
    assert recorder.only.session_id == "s1"


@pytest.mark.parametrize("name", VENDORS)
async def test_an_asynchronous_stream_belongs_to_the_session_that_requested_it(name, recorder):
    vendor = VENDORS[name]()
    with llm_observe.session("s1"):
        stream = await vendor.astream(vendor.aclient())

    async def read() -> None:
        async for _ in stream:
            pass

    with llm_observe.session("s2"):
        await asyncio.create_task(read())
        assert current_id() == "s2"
    assert recorder.only.session_id == "s1"
