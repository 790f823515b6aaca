"""Finds the current session: that of the context, or that of a generator that runs in it.

A session is current in the context in which it is entered, and in the tasks and threads that copy this
context before it is left. A generator may run each step in another context (Starlette runs each step of a
synchronous generator in a fresh copy) and be finalised in yet another. Therefore a session that is entered in
a generator is also current wherever that generator runs, and can be left in any context.
"""

from __future__ import annotations

import contextlib
import sys
from contextvars import ContextVar
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from contextvars import Token
    from types import FrameType

    from llm_observe._session import Session

_GENERATOR: Final = 0x20 | 0x200
"""inspect.CO_GENERATOR and CO_ASYNC_GENERATOR, without the slow import of inspect."""
_ENTER: Final = ("__enter__", "__aenter__")


class Scope:
    """A session from its entry until it is left."""

    __slots__ = ("enclosing", "outer", "session", "stale")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.outer = _skip_stale(_current.get())
        """The scope that the context had before."""
        self.enclosing = _scope_of_running_generator()
        """The scope of the generator in which the session was entered, before."""
        self.stale = False
        """Whether it has been left. Contexts that still hold it must ignore it."""


class Entry(NamedTuple):
    """The result of enter(), for leave()."""

    scope: Scope
    token: Token[Scope | None]
    frames: list[int]


_current: ContextVar[Scope | None] = ContextVar("llm_observe_session", default=None)
_scopes_of_frames: dict[int, list[Scope]] = {}
"""The scopes entered in each generator, innermost last, by the id of the generator's frame.

The key is not the frame itself: that would keep its variables alive, and the generator with them.
"""


def current_scope() -> Scope | None:
    """Return the scope of a call that is made here and now."""
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
    """Return the scope of the innermost generator on the stack that has one."""
    frame: FrameType | None = sys._getframe() if _scopes_of_frames else None  # noqa: SLF001 - the only way to the stack
    while frame is not None:
        if scopes := _scopes_of_frames.get(id(frame)):
            return scopes[-1]
        frame = frame.f_back
    return None


def _is_within(scope: Scope | None, running: Scope) -> bool:
    """Return whether a scope was entered by code that the generator of ``running`` called."""
    while scope is not None and scope is not running:
        scope = scope.enclosing
    return scope is not None


def enter(session: Session) -> Entry:
    """Make a session current for the code that enters the calling context manager."""
    scope = Scope(session)
    frames = _entering_generators(sys._getframe(1).f_back)  # noqa: SLF001 - the only way to the stack
    _hold(scope, frames)
    return Entry(scope, _current.set(scope), frames)


def leave(entry: Entry) -> None:
    """Undo enter(), in any context and in any order. Never raises."""
    scope, token, frames = entry
    _release(scope, frames)
    newest = _current.get()
    try:
        _current.reset(token)
    except ValueError:  # the session was entered in another context
        scope.stale = True
        return
    if newest is not scope:  # a scope that was entered later is still current
        scope.stale = True
        _current.set(newest)


def _entering_generators(frame: FrameType | None) -> list[int]:
    """Return the ids of the frames of the generators whose ``with`` enters a session.

    A context manager that is itself a generator enters the session for the code that enters it. An ExitStack
    may outlive the generator that fills it, so a session on it belongs to the context alone.
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


def keep_scope(stream: object) -> object:
    """Return a generator that runs in the current scope, whatever context its steps run in."""
    scope = current_scope()
    if scope is not None and isinstance(stream, GeneratorType):
        return _run_in(scope, stream)
    if scope is not None and isinstance(stream, AsyncGeneratorType):
        return _arun_in(scope, stream)
    return stream


def _run_in(scope: Scope, stream: Generator[object, object, object]) -> Generator[object, object, object]:
    frames = [id(sys._getframe())]  # noqa: SLF001 - the only way to the stack
    _hold(scope, frames)
    try:
        return (yield from stream)
    finally:
        _release(scope, frames)


async def _arun_in(scope: Scope, stream: AsyncGenerator[object, None]) -> AsyncGenerator[object, None]:
    frames = [id(sys._getframe())]  # noqa: SLF001 - the only way to the stack
    _hold(scope, frames)
    try:
        async with contextlib.aclosing(stream):
            async for chunk in stream:
                yield chunk
    finally:
        _release(scope, frames)
