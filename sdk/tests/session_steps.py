"""Ways to run the steps of a generator, and the session that a call made in a step would have."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from typing import Any

import llm_observe
from llm_observe._session import _default_session, current_session

RunStep = Callable[..., Any]
"""Calls a function with arguments in some context."""


def current_id() -> str | None:
    """Return the id of the session of a call made here; None for the default session of the process."""
    session = current_session()
    return None if session is _default_session() else session.session_id


def here(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


def in_copy(work: Callable[..., Any], *arguments: Any) -> Any:
    """As Starlette runs each step of a synchronous generator, but in the same thread."""
    return copy_context().run(work, *arguments)


def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """As Starlette runs each step of a synchronous generator."""
    results: list[Any] = []
    context = copy_context()
    thread = threading.Thread(target=lambda: results.append(context.run(work, *arguments)))
    thread.start()
    thread.join()
    return results[0]


def in_empty_context(work: Callable[..., Any], *arguments: Any) -> Any:
    return Context().run(work, *arguments)


def in_own_contexts() -> RunStep:
    """Return a function that alternates between two contexts."""
    contexts = [Context(), Context()]

    def run(work: Callable[..., Any], *arguments: Any) -> Any:
        contexts.reverse()
        return contexts[0].run(work, *arguments)

    return run


STEP_RUNNERS: dict[str, Callable[[], RunStep]] = {
    "here": lambda: here,
    "a copy for each step": lambda: in_copy,
    "a thread for each step": lambda: in_thread,
    "an empty context for each step": lambda: in_empty_context,
    "two contexts in turn": in_own_contexts,
}


@contextlib.contextmanager
def tenant(name: str) -> Iterator[None]:
    """Wrap session() as applications do."""
    with llm_observe.session(name, user_id="u1"):
        yield


@contextlib.contextmanager
def tenant_of_tenant(name: str) -> Iterator[None]:
    with tenant(name):
        yield
