"""session() is current in the generator that entered it, whatever context runs or ends its steps."""

from __future__ import annotations

import contextlib
import gc
import random
import weakref
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

import llm_observe
import pytest
from llm_observe import _scope
from llm_observe._session import current_session
from session_steps import current_id, tenant, tenant_of_tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

pytestmark = pytest.mark.usefixtures("no_session_is_left")


@pytest.mark.parametrize("enter", [llm_observe.session, tenant, tenant_of_tenant])
def test_a_generator_keeps_its_session_in_any_context(run_step, enter):
    def body() -> Iterator[str | None]:
        yield current_id()
        with enter("s1"):
            yield current_id()
            with llm_observe.session("s2"):
                yield current_id()
            yield current_id()
        yield current_id()

    steps = body()
    ids = [run_step(next, steps) for _ in range(5)]
    assert ids == [None, "s1", "s2", "s1", None]
    assert run_step(next, steps, "ended") == "ended"
    assert run_step(current_id) is None


def test_nested_sessions_add_to_the_session_of_their_generator(run_step):
    def ask() -> Any:
        with llm_observe.session(tags=["inner"]), tenant("s2"), llm_observe.session(tags=["innermost"]):
            return current_session()

    def body() -> Iterator[Any]:
        with llm_observe.session("s1", tags=["outer"]):
            yield current_session()
            yield ask()
            yield current_session()

    first, second, third = (run_step(next, steps) for steps in [body()] for _ in range(3))
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
@pytest.mark.parametrize("inherited", [False, True], ids=["copied before", "copied inside"])
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


def test_interleaved_generators_keep_separate_sessions(run_step):
    def body(name: str) -> Generator[str | None]:
        with llm_observe.session(name):
            while True:
                yield current_id()

    first, second = body("s1"), body("s2")
    ids = [run_step(next, steps) for steps in (first, second, first, second, first)]
    assert ids == ["s1", "s2", "s1", "s2", "s1"]
    run_step(first.close)
    assert run_step(next, second) == "s2"
    run_step(second.close)
    assert run_step(current_id) is None
    with llm_observe.session("s3"):
        assert current_id() == "s3"
    assert current_id() is None


@pytest.mark.parametrize("seed", range(30))
def test_random_interleavings_never_mix_sessions(seed):
    """Each generator finds its own session at each step; when all have ended, the contexts have none.

    Copies of a context keep the session that they copied, as those of tasks do.
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


def _enter_by_hand(managers: list[Any]) -> Iterator[None]:
    manager = llm_observe.session("s1")
    manager.__enter__()
    managers.append(manager)
    yield


def _enter_on_a_stack(managers: list[Any]) -> Iterator[None]:
    managers.append(contextlib.ExitStack())
    managers[0].enter_context(llm_observe.session("s1"))
    yield


def _enter_a_wrapper_by_hand(managers: list[Any]) -> Iterator[None]:
    manager = tenant("s1")
    manager.__enter__()
    managers.append(manager)
    with contextlib.nullcontext():
        yield


@pytest.mark.parametrize("body", [_enter_by_hand, _enter_on_a_stack, _enter_a_wrapper_by_hand])
def test_a_session_that_outlives_its_generator_leaks_into_no_other(body):
    def other() -> Iterator[str | None]:
        yield current_id()

    managers: list[Any] = []
    Context().run(lambda: list(body(managers)))
    others = [other() for _ in range(300)]
    assert {next(steps) for steps in others} == {None}  # one of their frames reuses the address of body()'s
    Context().run(managers[0].__exit__, None, None, None)


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
