"""Takes the steps of a function inside a span: whatever runs between the steps is not a part of it."""

from __future__ import annotations

from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any

from llm_observe._scope import enter, leave

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llm_observe._session import Session


def run_inside(session: Session, function: Callable[..., Any], *arguments: object, **named: object) -> Any:
    """Call a function in the session of a span."""
    entry = enter(session)
    try:
        return function(*arguments, **named)
    finally:
        leave(entry)
        del arguments  # an error that is thrown into a generator refers to this frame


async def _await_inside(session: Session, awaitable: Awaitable[Any]) -> Any:
    entry = enter(session)
    try:
        return await awaitable
    finally:
        leave(entry)
        del awaitable  # as above


def step_inside(session: Session, started: Any) -> Any:
    """Return a coroutine or generator that does what ``started`` does in the session of a span."""
    kind = type(started)
    if issubclass(kind, GeneratorType):
        return _Steps(session, started)
    if issubclass(kind, AsyncGeneratorType):
        return _AsyncSteps(session, started)
    return _await_inside(session, started)


class _Steps:
    """A generator, as far as run_generator() uses it."""

    def __init__(self, session: Session, inner: Any) -> None:
        self._session = session
        self._inner = inner

    def __next__(self) -> object:
        return run_inside(self._session, self._inner.__next__)

    def send(self, value: object) -> object:
        """See generator.send()."""
        return run_inside(self._session, self._inner.send, value)

    def throw(self, error: BaseException) -> object:
        """See generator.throw()."""
        try:
            return run_inside(self._session, self._inner.throw, error)
        finally:
            del error  # as above

    def close(self) -> None:
        """See generator.close()."""
        run_inside(self._session, self._inner.close)


class _AsyncSteps:
    """An asynchronous generator, as far as make_async_generator() uses it."""

    def __init__(self, session: Session, inner: Any) -> None:
        self._session = session
        self._inner = inner

    def __anext__(self) -> Awaitable[object]:
        return _await_inside(self._session, self._inner.__anext__())

    def asend(self, value: object) -> Awaitable[object]:
        """See agen.asend()."""
        return _await_inside(self._session, self._inner.asend(value))

    def athrow(self, error: BaseException) -> Awaitable[object]:
        """See agen.athrow()."""
        return _await_inside(self._session, self._inner.athrow(error))

    def aclose(self) -> Awaitable[None]:
        """See agen.aclose()."""
        return _await_inside(self._session, self._inner.aclose())
