"""Which session is in force: that of the context, and that of the generators that run in it.

A session that is entered is in force in its context, and in the tasks and threads that take a copy of that
context meanwhile. A generator may be driven from another context at each step (Starlette gives each step of
a synchronous one a fresh copy) and be finalised from yet another. So a session that is entered in a generator
is in force wherever that generator runs, too; and leaving needs no token of the context that is left.
"""

from __future__ import annotations

import contextlib
import sys
from contextvars import ContextVar
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from contextvars import Token
    from types import FrameType

    from llm_observe._session import Session

_GENERATOR: Final = 0x20 | 0x200
"""inspect.CO_GENERATOR and CO_ASYNC_GENERATOR; inspect takes long to import."""
_ENTER: Final = ("__enter__", "__aenter__")


class Scope:
    """A session, from where it is entered until it is left."""

    __slots__ = ("enclosing", "outer", "session", "stale")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.outer = _skip_stale(_current.get())
        """What its context had before."""
        self.enclosing = _scope_of_running_generator()
        """What the generator had in which it was entered."""
        self.stale = False
        """Whether it was left and contexts may hold it still: they look past it."""


class Entry(NamedTuple):
    """What leave() needs."""

    scope: Scope
    token: Token[Scope | None]
    frames: list[int]


_current: ContextVar[Scope | None] = ContextVar("llm_observe_session", default=None)
_scopes_of_frames: dict[int, list[Scope]] = {}
"""What was entered in each generator, innermost last, by the id of the generator's frame.

By its id: a frame that is held keeps alive what its variables refer to, the generator itself among it.
"""


def scope_in_force() -> Scope | None:
    """Return the scope that a call belongs to which is made here and now."""
    scope = _current.get()
    if scope is not None and scope.stale:
        scope = _skip_stale(scope)
    if not _scopes_of_frames:
        return scope
    running = _scope_of_running_generator()
    return scope if running is None or _is_within(scope, running) else running


def _skip_stale(scope: Scope | None) -> Scope | None:
    while scope is not None and scope.stale:
        scope = scope.outer
    return scope


def _scope_of_running_generator() -> Scope | None:
    """Return what the innermost generator on the stack has that has any."""
    frame: FrameType | None = sys._getframe() if _scopes_of_frames else None  # noqa: SLF001 - the way to the stack
    while frame is not None:
        if scopes := _scopes_of_frames.get(id(frame)):
            return scopes[-1]
        frame = frame.f_back
    return None


def _is_within(scope: Scope | None, running: Scope) -> bool:
    """Tell whether a scope was entered by what a generator runs, and not by another generator's turn."""
    while scope is not None and scope is not running:
        scope = scope.enclosing
    return scope is not None


def enter(session: Session) -> Entry:
    """Put a session in force, for whoever entered the context manager that calls this."""
    scope = Scope(session)
    frames = _entering_generators(sys._getframe(1).f_back)  # noqa: SLF001 - the way to the stack
    _hold(scope, frames)
    return Entry(scope, _current.set(scope), frames)


def leave(entry: Entry) -> None:
    """End what enter() began, in whatever context, and in whatever order. Never raises."""
    scope, token, frames = entry
    _release(scope, frames)
    newest = _current.get()
    try:
        _current.reset(token)
    except ValueError:  # this is another context than it was entered in
        scope.stale = True
        return
    if newest is not scope:  # another that was entered since is still in force
        scope.stale = True
        _current.set(newest)


def _entering_generators(frame: FrameType | None) -> list[int]:
    """Return the ids of the frames of the generators whose ``with`` enters a session.

    A context manager that is a generator enters for whoever enters it. An ExitStack may outlive the generator
    that fills it, so what it holds is a matter of the context alone.
    """
    frames = []
    while frame is not None and frame.f_globals is vars(contextlib) and frame.f_code.co_name in _ENTER:
        frame = frame.f_back
        if frame is None or not frame.f_code.co_flags & _GENERATOR:
            break
        frames.append(id(frame))
        frame = frame.f_back
    return frames


def _hold(scope: Scope, frames: list[int]) -> None:
    for frame in frames:
        _scopes_of_frames.setdefault(frame, []).append(scope)


def _release(scope: Scope, frames: list[int]) -> None:
    for frame in frames:
        scopes = _scopes_of_frames[frame]
        scopes.remove(scope)
        if not scopes:
            del _scopes_of_frames[frame]


def keep_scope(pieces: Any) -> Any:
    """Return a generator that runs under the scope in force now, wherever it is driven from."""
    scope = scope_in_force()
    if scope is not None and isinstance(pieces, GeneratorType):
        return _run_in(scope, pieces)
    if scope is not None and isinstance(pieces, AsyncGeneratorType):
        return _arun_in(scope, pieces)
    return pieces


def _run_in(scope: Scope, pieces: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    frames = [id(sys._getframe())]  # noqa: SLF001 - the way to the stack
    _hold(scope, frames)
    try:
        return (yield from pieces)
    finally:
        _release(scope, frames)


async def _arun_in(scope: Scope, pieces: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, None]:
    frames = [id(sys._getframe())]  # noqa: SLF001 - the way to the stack
    _hold(scope, frames)
    try:
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece
    finally:
        _release(scope, frames)
