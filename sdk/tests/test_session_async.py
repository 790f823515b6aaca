"""session() in asynchronous generators, tasks, threads and the dependencies of web frameworks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from contextvars import Context
from typing import TYPE_CHECKING, Any

import llm_observe
import pytest
from llm_observe import _scope
from session_steps import current_id, in_copy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

pytestmark = pytest.mark.usefixtures("no_session_is_left")


async def test_an_asynchronous_generator_keeps_its_session_in_any_task():
    async def body() -> AsyncIterator[str | None]:
        with llm_observe.session("s1"):
            for _ in range(3):
                yield current_id()

    async def step(steps: AsyncIterator[str | None]) -> str | None:
        return await anext(steps, "ended")

    steps = body()
    ids = [await asyncio.create_task(step(steps)) for _ in range(4)]
    assert ids == ["s1", "s1", "s1", "ended"]


async def test_a_dropped_asynchronous_generator_ends_its_session():
    async def body() -> AsyncIterator[None]:
        with llm_observe.session("s1"):
            yield

    steps = body()
    await anext(steps)
    assert current_id() == "s1"
    complaints: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    del steps  # the loop closes it, in a task of its own
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert complaints == []
    assert current_id() is None


async def test_a_fastapi_dependency_sets_the_session_of_the_request():
    """FastAPI enters and leaves it by an exit stack in the task of the request."""

    @contextlib.asynccontextmanager
    async def dependency() -> AsyncIterator[None]:
        with llm_observe.session("s1"):
            yield

    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(dependency())
        assert current_id() == "s1"
        assert await asyncio.to_thread(current_id) == "s1"
        assert await asyncio.create_task(asyncio.to_thread(current_id)) == "s1"


def test_a_synchronous_fastapi_dependency_does_not_raise():
    """FastAPI enters it in one context and leaves it in another, so it cannot affect a third."""

    @contextlib.contextmanager
    def dependency() -> Iterator[None]:
        with llm_observe.session("s1"):
            yield
            assert current_id() == "s1"

    entered = dependency()
    in_copy(entered.__enter__)
    assert in_copy(current_id) is None
    in_copy(entered.__exit__, None, None, None)


async def test_tasks_and_threads_keep_the_session_they_were_started_in():
    released, thread_released = asyncio.Event(), threading.Event()

    async def later() -> str | None:
        await released.wait()
        return current_id()

    with llm_observe.session("s1"):
        task = asyncio.create_task(later())
        thread = asyncio.create_task(asyncio.to_thread(lambda: thread_released.wait(30) and current_id()))
        await asyncio.sleep(0)
    assert current_id() is None
    released.set()
    thread_released.set()
    assert (await task, await thread) == ("s1", "s1")


async def test_entering_a_session_by_hand_in_an_asynchronous_generator_leaks_nothing():
    @contextlib.asynccontextmanager
    async def dependency() -> AsyncIterator[None]:
        await asyncio.sleep(0)
        with llm_observe.session("s1"):
            yield

    async def by_hand() -> AsyncIterator[list[int]]:
        manager = dependency()
        await manager.__aenter__()
        yield list(_scope._scopes_of_frames)
        await manager.__aexit__(None, None, None)

    async def by_statement() -> AsyncIterator[list[int]]:
        async with dependency():
            yield list(_scope._scopes_of_frames)

    assert [len(frames) async for frames in by_hand()] == [1]  # the frame of the dependency
    assert [len(frames) async for frames in by_statement()] == [2]


def _as_task(loop: asyncio.AbstractEventLoop, seen: list[str | None]) -> None:
    async def note() -> None:
        seen.append(current_id())
        with llm_observe.session(tags=["task"]):
            await asyncio.sleep(0)
            seen.append(current_id())

    loop.create_task(note())


def _as_callback(loop: asyncio.AbstractEventLoop, seen: list[str | None]) -> None:
    loop.call_soon(lambda: seen.extend([current_id()] * 2))


@pytest.mark.parametrize("start", [_as_task, _as_callback])
@pytest.mark.parametrize("background", ["s2", None])
def test_tasks_on_a_loop_driven_by_a_generator_keep_their_own_session(run_step, start, background):
    loop = asyncio.new_event_loop()
    seen: list[str | None] = []

    def begin() -> None:
        with llm_observe.session(background) if background else contextlib.nullcontext():
            start(loop, seen)

    def body() -> Generator[str | None]:
        with llm_observe.session("s1"):
            for _ in range(4):
                loop.run_until_complete(asyncio.sleep(0))
                yield current_id()

    Context().run(begin)
    steps = body()
    assert [run_step(next, steps) for _ in range(4)] == ["s1"] * 4
    run_step(steps.close)
    loop.close()
    assert len(seen) == 2
    assert seen[0] == background
    assert "s1" not in seen
