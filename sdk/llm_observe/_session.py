"""What the application states about its calls: session, user, conversation, tags, metadata."""

from __future__ import annotations

import os
from contextlib import _GeneratorContextManager
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from llm_observe._scope import current_scope, enter, leave, scope_to_extend
from llm_observe._values import to_pairs, to_tags, to_text
from llm_observe.ids import uuid7
from llm_observe.trace_context import join

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from types import TracebackType

    from llm_observe.trace_context import SpanIds

_Function = TypeVar("_Function", bound="Callable[..., object]")
_Given = TypeVar("_Given")


class Session(NamedTuple):
    """The context of a call."""

    session_id: str
    user_id: str = ""
    conversation_id: str = ""
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    span: SpanIds | None = None
    """The span around it: one of ours, or one that a ``traceparent`` named."""


_process_session: Session | None = None


def current_session() -> Session:
    """Return the current session, by default one for the whole process."""
    scope = current_scope()
    return scope.session if scope is not None else _process_session or _default_session()


def _default_session() -> Session:
    global _process_session  # noqa: PLW0603 - one session per process, made anew after a fork
    if _process_session is None:
        _process_session = Session(session_id=uuid7())
    return _process_session


def _forget_process_session() -> None:
    global _process_session  # noqa: PLW0603 - as above
    _process_session = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_process_session)


class ScopeContext(_GeneratorContextManager[_Given, None, None]):
    """A context manager for ``with`` and ``async with``, in any context."""

    async def __aenter__(self) -> _Given:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self.__exit__(kind, error, trace)


class SessionContext(ScopeContext[str]):
    """A session for ``with`` and ``async with``, and a decorator of functions, coroutines and generators."""

    def __call__(self, function: _Function) -> _Function:
        """Return a function that runs in the session, each time in a new one if it has no id."""
        from llm_observe._session_decorator import run_in  # noqa: PLC0415 - loads inspect

        if isinstance(function, staticmethod | classmethod):
            return cast("_Function", type(function)(self(function.__func__)))
        return run_in(self._recreate_cm, function) or super().__call__(function)


def session(
    session_id: str | None = None,
    *,
    user_id: str | None = None,
    conversation_id: str | None = None,
    tags: str | Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
    traceparent: str | None = None,
) -> SessionContext:
    """Attach a session to every call made inside. A nested session adds to the outer one.

    Use it by ``with`` or ``async with``, or as a decorator of a function, coroutine or generator.

    The session is current in the context in which it is entered, in the tasks started inside, and in threads
    that run with a copy of this context, as those of ``asyncio.to_thread`` do.
    Entered by ``with`` in a generator, it is also current whenever that generator runs, in any context. It
    does not reach code in another context that the generator does not call: FastAPI enters a synchronous
    dependency with ``yield`` in a context of its own, but an ``async def`` one in that of the request.

    Args:
        session_id: Its id; by default that of the outer session, or a new UUID.
        user_id: The user.
        conversation_id: The conversation.
        tags: Tags, added to those of the outer session.
        metadata: Free-form pairs, likewise.
        traceparent: The W3C header of the request that is handled: calls inside belong to its trace. One that
            is not valid is ignored, and so is one of the trace that is current already.

    Returns:
        A context manager that gives the session id: by default that of the outer session, or a new UUID.
    """
    return SessionContext(
        _open, (session_id, user_id, conversation_id, tags, metadata), {"traceparent": traceparent}
    )


def _open(
    session_id: object,
    user_id: object,
    conversation_id: object,
    tags: object,
    metadata: object,
    *,
    traceparent: object,
) -> Generator[str, None, None]:
    outer = scope_to_extend()
    own_id = to_text(session_id)
    inherited = outer.session if outer is not None else Session(session_id=own_id or uuid7())
    merged = Session(
        session_id=own_id or inherited.session_id,
        user_id=inherited.user_id if user_id is None else to_text(user_id),
        conversation_id=to_text(conversation_id)
        if conversation_id is not None
        else inherited.conversation_id,
        tags=(*inherited.tags, *to_tags(tags)),
        metadata=(*inherited.metadata, *to_pairs(metadata)),
        span=join(inherited.span, traceparent),
    )
    entry = enter(merged)
    try:
        yield merged.session_id
    finally:
        leave(entry)
