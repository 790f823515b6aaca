"""session() is current where it was entered, whatever context runs or ends the generator that entered it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading
import weakref
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

import llm_observe
import pytest
from llm_observe import _scope
from llm_observe._session import _default_session, current_session
from vendor_wire import Anthropic, Gemini, OpenAI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    Run = Callable[..., Any]
    """Calls a function with arguments, somewhere."""


def current_id() -> str | None:
    """Return the id of the session that a call made here would have; None for that of the process."""
    session = current_session()
    return None if session is _default_session() else session.session_id


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert current_id() is None
    assert _scope._scopes_of_frames == {}


def here(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


def in_copy(work: Callable[..., Any], *arguments: Any) -> Any:
    """As Starlette runs each step of a synchronous generator, but for the thread."""
    return copy_context().run(work, *arguments)


def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """As Starlette does."""
    results: list[Any] = []
    context = copy_context()
    thread = threading.Thread(target=lambda: results.append(context.run(work, *arguments)))
    thread.start()
    thread.join()
    return results[0]


def in_empty_context(work: Callable[..., Any], *arguments: Any) -> Any:
    return Context().run(work, *arguments)


def in_own_contexts() -> Run:
    """Return what goes round two contexts that are kept."""
    contexts = [Context(), Context()]

    def run(work: Callable[..., Any], *arguments: Any) -> Any:
        contexts.reverse()
        return contexts[0].run(work, *arguments)

    return run


WAYS: dict[str, Callable[[], Run]] = {
    "here": lambda: here,
    "a copy a step": lambda: in_copy,
    "a thread a step": lambda: in_thread,
    "an empty context a step": lambda: in_empty_context,
    "two contexts in turn": in_own_contexts,
}


@pytest.fixture(params=WAYS)
def run(request) -> Run:
    return WAYS[request.param]()


@contextlib.contextmanager
def tenant(name: str) -> Iterator[None]:
    """As applications wrap session()."""
    with llm_observe.session(name, user_id="u1"):
        yield


@contextlib.contextmanager
def tenant_of_tenant(name: str) -> Iterator[None]:
    with tenant(name):
        yield


@pytest.mark.parametrize("enter", [llm_observe.session, tenant, tenant_of_tenant])
def test_a_generator_keeps_its_session_in_any_context(run, enter):
    def body() -> Iterator[str | None]:
        yield current_id()
        with enter("s1"):
            yield current_id()
            with llm_observe.session("s2"):
                yield current_id()
            yield current_id()
        yield current_id()

    steps = body()
    ids = [run(next, steps) for _ in range(5)]
    assert ids == [None, "s1", "s2", "s1", None]
    assert run(next, steps, "ended") == "ended"
    assert run(current_id) is None


def test_nested_sessions_add_to_the_session_of_their_generator(run):
    def ask() -> Any:
        with llm_observe.session(tags=["inner"]), tenant("s2"), llm_observe.session(tags=["innermost"]):
            return current_session()

    def body() -> Iterator[Any]:
        with llm_observe.session("s1", tags=["outer"]):
            yield current_session()
            yield ask()
            yield current_session()

    first, second, third = (run(next, steps) for steps in [body()] for _ in range(3))
    assert (first.session_id, first.user_id, first.tags) == ("s1", "", ("outer",))
    assert (second.session_id, second.user_id, second.tags) == ("s2", "u1", ("outer", "inner", "innermost"))
    assert third == first


ENDINGS: dict[str, Callable[[list[Any]], Any]] = {
    "close": lambda steps: steps[0].close(),
    "exhaust": lambda steps: list(steps[0]),
    "throw": lambda steps: _throw(steps[0]),
    "drop": lambda steps: steps.clear(),
}


def _throw(steps: Any) -> None:
    with pytest.raises(KeyError):
        steps.throw(KeyError("the application's own"))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("inherited", [False, True], ids=["a context of before", "a context of inside"])
def test_a_session_left_in_another_context_ends_in_its_own(ending, inherited):
    def body() -> Iterator[None]:
        with llm_observe.session("s1"):
            yield

    before = copy_context()
    steps = [body()]
    next(steps[0])
    assert current_id() == "s1"
    other = copy_context() if inherited else before
    other.run(ENDINGS[ending], steps)
    assert current_id() is None
    assert other.run(current_id) is None


def test_interleaved_generators_keep_separate_sessions(run):
    def body(name: str) -> Generator[str | None]:
        with llm_observe.session(name):
            while True:
                yield current_id()

    first, second = body("s1"), body("s2")
    ids = [run(next, steps) for steps in (first, second, first, second, first)]
    assert ids == ["s1", "s2", "s1", "s2", "s1"]
    run(first.close)
    assert run(next, second) == "s2"
    run(second.close)
    assert run(current_id) is None
    with llm_observe.session("s3"):
        assert current_id() == "s3"
    assert current_id() is None


@pytest.mark.parametrize("seed", range(30))
def test_random_interleavings_never_mix_sessions(seed):
    """Each generator finds its own session at each step; when all have ended, no context finds any.

    But for copies of a context: they keep what they have copied, as those of tasks do.
    """
    chance = random.Random(seed)
    contexts = originals = [Context() for _ in range(3)]

    def body(name: str) -> Iterator[None]:
        with llm_observe.session(f"{name}-outer"):
            yield
            assert current_id() == f"{name}-outer"
            with tenant(name):
                while True:
                    assert current_id() == name
                    yield

    running: list[Any] = []
    for number in range(60):
        context = chance.choice(contexts)
        if chance.random() < 0.3 or not running:
            running.append(body(f"s{number}"))
        steps = chance.choice(running)
        if chance.random() < 0.2:
            running.remove(steps)
            context.run(steps.close)
        else:
            context.run(next, steps)
        if chance.random() < 0.2:
            contexts = [*contexts, context.copy()]
    for steps in running:
        chance.choice(contexts).run(steps.close)
    assert {context.run(current_id) for context in originals} == {None}


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
    """As FastAPI runs it: entered and left by an exit stack in the task of the request."""

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
    """As FastAPI runs it: entered in a context, left in another. What runs in a third is out of its reach."""

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
    gate, thread_gate = asyncio.Event(), threading.Event()

    async def later() -> str | None:
        await gate.wait()
        return current_id()

    with llm_observe.session("s1"):
        task = asyncio.create_task(later())
        thread = asyncio.create_task(asyncio.to_thread(lambda: thread_gate.wait(30) and current_id()))
        await asyncio.sleep(0)
    assert current_id() is None
    gate.set()
    thread_gate.set()
    assert (await task, await thread) == ("s1", "s1")


def test_exceptions_pass_through_a_session():
    with pytest.raises(KeyError), llm_observe.session("s1"):
        raise KeyError("the application's own")


def test_an_exit_stack_may_outlive_the_generator_that_filled_it():
    stack = contextlib.ExitStack()

    def body() -> Iterator[None]:
        stack.enter_context(llm_observe.session("s1"))
        yield

    list(body())
    assert _scope._scopes_of_frames == {}
    assert current_id() == "s1"
    stack.close()
    assert current_id() is None


def _enter_by_hand(kept: list[Any]) -> Iterator[None]:
    manager = llm_observe.session("s1")
    manager.__enter__()
    kept.append(manager)
    yield


def _enter_on_a_stack(kept: list[Any]) -> Iterator[None]:
    kept.append(contextlib.ExitStack())
    kept[0].enter_context(llm_observe.session("s1"))
    yield


def _enter_a_wrapper_by_hand(kept: list[Any]) -> Iterator[None]:
    manager = tenant("s1")
    manager.__enter__()
    kept.append(manager)
    with contextlib.nullcontext():
        yield


@pytest.mark.parametrize("body", [_enter_by_hand, _enter_on_a_stack, _enter_a_wrapper_by_hand])
def test_a_session_that_outlives_its_generator_leaks_into_no_other(body):
    def other() -> Iterator[str | None]:
        yield current_id()

    kept: list[Any] = []
    Context().run(lambda: list(body(kept)))
    others = [other() for _ in range(300)]
    assert {next(steps) for steps in others} == {None}  # one of their frames is where that of body() was
    Context().run(kept[0].__exit__, None, None, None)


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

    assert [len(frames) async for frames in by_hand()] == [1]  # that of the dependency
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
def test_tasks_on_a_loop_driven_by_a_generator_keep_their_own_session(run, start, background):
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
    assert [run(next, steps) for _ in range(4)] == ["s1"] * 4
    run(steps.close)
    loop.close()
    assert len(seen) == 2
    assert seen[0] == background
    assert "s1" not in seen


def _answer(user: str) -> Generator[Any]:
    with llm_observe.session(user_id=user, tags=[user]):
        yield current_session()
        with llm_observe.session(tags=["inner"]):
            yield current_session()


@pytest.mark.parametrize("outer", [None, "s0"])
def test_interleaved_generators_add_nothing_to_each_other(run, outer):
    with llm_observe.session(outer, tags=["outer"]) if outer else contextlib.nullcontext():
        first, second = _answer("ann"), _answer("bob")
        sessions = [run(next, steps) for steps in (first, second, first, second)]
        for steps in (second, first):
            run(steps.close)
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


def test_a_generator_adds_to_the_session_of_its_caller(run):
    def outer() -> Iterator[Any]:
        with llm_observe.session("s1", tags=["outer"]):
            yield from _answer("ann")
            yield next(_answer("bob"))

    steps = outer()
    sessions = [run(next, steps) for _ in range(3)]
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


def test_a_self_referencing_generator_is_garbage_collected():
    class Page:
        def __init__(self) -> None:
            self.steps = self.body()

        def body(self) -> Iterator[None]:
            with llm_observe.session("s1"):
                yield

    page = Page()
    gone = weakref.ref(page)
    Context().run(next, page.steps)
    del page
    gc.collect()
    assert gone() is None


VENDORS: dict[str, Any] = {"openai": OpenAI, "anthropic": Anthropic, "gemini": Gemini}


@pytest.mark.parametrize("name", VENDORS)
def test_a_stream_belongs_to_the_session_that_requested_it(name, recorder, run):
    vendor = VENDORS[name]()
    with llm_observe.session("s1"):
        stream = vendor.stream()
    with llm_observe.session("s2"):
        assert run(lambda: [*stream, current_id()])[-1] in {"s2", None}
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
