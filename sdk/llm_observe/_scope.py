"""Finds the current session: that of the context, or that of a generator that runs in it.

A session is current in the context in which it is entered, and in the tasks and threads that copy this
context before it is left. A generator may run each step in another context (Starlette runs each step of a
synchronous generator in a fresh copy) and be finalised in yet another. Therefore a session that is entered by
``with`` in a generator is also current wherever that generator runs, and can be left in any context.

Other asyncio tasks have contexts of their own, even if the generator is what runs their event loop.
"""

from __future__ import annotations

import contextlib
import sys
from contextvars import ContextVar
from functools import lru_cache
from opcode import opname
from threading import get_ident
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import AsyncGenerator, Generator, Iterator
    from contextvars import Token
    from types import CodeType, FrameType

    from llm_observe._session import Session

_GENERATOR: Final = 0x20 | 0x200
"""inspect.CO_GENERATOR and CO_ASYNC_GENERATOR, without the slow import of inspect."""
_ENTER: Final = ("__enter__", "__aenter__")


class Scope:
    """A session from its entry until it is left."""

    __slots__ = ("enclosing", "generator", "outer", "runner", "session", "stale")

    def __init__(self, session: Session, generator: int | None) -> None:
        self.session = session
        self.generator = generator
        """The id of the frame of the generator for whose code the session was entered, if any."""
        self.runner = _runner()
        """The thread and the task that entered it."""
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
    return _choose(scope, _scope_of_running_generator()) if _scopes_of_frames else scope


def scope_to_extend() -> Scope | None:
    """Return the scope that a session adds to, for the calling context manager.

    It is the current one. But generators that take turns in one context do not add to each other: a session
    that is entered in a generator adds to none that belongs to a suspended one.
    """
    scope = current_scope()
    if scope is None or scope.generator is None:
        return scope
    _, generator = _entering_generators(sys._getframe(1).f_back)  # noqa: SLF001 - the only way to the stack
    running = _scope_of_running_generator()
    while generator is not None and scope is not None and scope is not running and _is_suspended(scope):
        scope = _choose(_skip_stale(scope.outer), running)
    return scope


def _choose(scope: Scope | None, running: Scope | None) -> Scope | None:
    """Return the scope of the context or that of the running generator, whichever is the inner one."""
    return scope if running is None or _is_within(scope, running) else running


def _is_suspended(scope: Scope) -> bool:
    """Return whether a scope belongs to a generator that is certainly between two steps.

    Elsewhere than in the thread and task that entered the scope, the generator may be waiting for the caller.
    """
    if scope.generator is None or scope.runner != _runner():
        return False
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the only way to the stack
    while frame is not None and id(frame) != scope.generator:
        frame = frame.f_back
    return frame is None


def _skip_stale(scope: Scope | None) -> Scope | None:
    while scope is not None and scope.stale:
        scope = scope.outer
    return scope


def _scope_of_running_generator() -> Scope | None:
    """Return the scope of the innermost generator on the stack of the running task that has one."""
    if not _scopes_of_frames:
        return None
    root = getattr(_get_task_coroutine(), "cr_frame", None)
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the only way to the stack
    while frame is not None and not _is_event_loop(frame):
        if scopes := _scopes_of_frames.get(id(frame)):
            return scopes[-1]
        frame = frame.f_back if frame is not root else None
    return None


def _is_event_loop(frame: FrameType) -> bool:
    """Return whether a frame is that in which asyncio runs a callback. uvloop has none."""
    return frame.f_code.co_name == "_run" and frame.f_globals.get("__name__") == "asyncio.events"


def _get_task_coroutine() -> object:
    task = _running_task()
    return None if task is None else task.get_coro()


def _running_task() -> Task[object] | None:
    """Return the asyncio task that runs in this thread, without importing asyncio."""
    asyncio = sys.modules.get("asyncio")
    try:
        loop = asyncio._get_running_loop() if asyncio else None  # noqa: SLF001 - does not raise where no loop runs
        return asyncio.current_task(loop) if asyncio and loop else None
    except AttributeError:  # another thread is importing asyncio
        return None


def _runner() -> tuple[int, int]:
    """Return what identifies the running thread and task, without keeping the task alive."""
    return get_ident(), id(_running_task())


def _is_within(scope: Scope | None, running: Scope) -> bool:
    """Return whether a scope was entered by code that the generator of ``running`` called."""
    while scope is not None and scope is not running:
        scope = scope.enclosing
    return scope is not None


def enter(session: Session) -> Entry:
    """Make a session current for the code that enters the calling context manager."""
    frames, generator = _entering_generators(sys._getframe(1).f_back)  # noqa: SLF001 - the only way to the stack
    scope = Scope(session, generator)
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


def _entering_generators(frame: FrameType | None) -> tuple[list[int], int | None]:
    """Return the ids of the frames of the generators whose ``with`` enters a session, and of the outermost.

    A context manager that is itself a generator enters the session for the code that enters it. The second
    result is None when this code is not a generator. A session that is entered otherwise than by ``with`` (on
    an ExitStack, by a call of ``__enter__``) may outlive its generator, so it belongs to the context alone.
    """
    frames: list[int] = []
    while _is_context_manager(frame):
        frame = _entering_frame(frame)
        if (
            frame is None
            or not frame.f_code.co_flags & _GENERATOR
            or not _enters(frame.f_code, frame.f_lasti)
        ):
            return frames, None
        frames.append(id(frame))
        frame = frame.f_back
    return frames, frames[-1] if frames else None


def _entering_frame(frame: FrameType | None) -> FrameType | None:
    """Return the frame that entered a context manager, by ``with`` or by ``async with``."""
    outer = frame.f_back if frame is not None else None
    if outer is not None and outer.f_code.co_name == "__aenter__" and outer.f_globals is not vars(contextlib):
        return outer.f_back
    return outer


def _is_context_manager(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_globals is vars(contextlib) and frame.f_code.co_name in _ENTER


@lru_cache(maxsize=256)
def _enters(code: CodeType, offset: int) -> bool:
    """Return whether an instruction is the entry of a ``with`` or ``async with`` statement."""
    return _ends_with_entry(list(_instructions_before(code.co_code, offset)))


def _instructions_before(code: bytes, offset: int) -> Iterator[tuple[str, int]]:
    """Yield the instruction at an offset and those before it, at most four, the last one first."""
    found = 0
    while offset >= 0 and found < 4:  # noqa: PLR2004 - as many as _ends_with_entry() needs
        name = opname[code[offset]]
        if name not in {"CACHE", "EXTENDED_ARG"}:
            found += 1
            yield name, code[offset + 1]
        offset -= 2


def _ends_with_entry(instructions: list[tuple[str, int]]) -> bool:
    names = [name for name, _ in instructions]
    if names[:2] == ["SEND", "LOAD_CONST"]:  # waits; the operand 1 says that it is for __aenter__()
        return instructions[2:3] == [("GET_AWAITABLE", 1)]
    return names[0] == "BEFORE_WITH" or names[:2] == ["CALL", "LOAD_SPECIAL"]  # the latter since Python 3.14


def _hold(scope: Scope, frames: list[int]) -> None:
    for frame in frames:
        _scopes_of_frames.setdefault(frame, []).append(scope)


def _release(scope: Scope, frames: list[int]) -> None:
    for frame in frames:
        others = [other for other in _scopes_of_frames.get(frame, ()) if other is not scope]
        if others:
            _scopes_of_frames[frame] = others
        else:
            _scopes_of_frames.pop(frame, None)


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
