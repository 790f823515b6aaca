"""Decorates a function of any shape: plain, coroutine, generator, asynchronous generator."""

from __future__ import annotations

import functools
import inspect
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from llm_observe._arguments import Arguments
from llm_observe._guard import guarded
from llm_observe._span_steps import run_inside, step_inside
from llm_observe._steps import (
    ResultReader,
    as_awaitable,
    end_with_future,
    make_async_generator,
    make_generator,
    run_coroutine,
    run_generator,
)
from llm_observe._stream_ends import StreamFinalizer, fail
from llm_observe._values import type_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from llm_observe._call import Call

    _Begin = Callable[..., Call]

_Function = TypeVar("_Function", bound="Callable[..., object]")


class Recorder(ResultReader, Protocol):
    """Records what a function does, as a call or as a span."""

    is_around: bool
    """Whether what runs inside the function belongs to it."""

    def start(self, name: str) -> Call:
        """Begin a call or a span of the function of that name."""


def decorate(function: _Function, recorder: Recorder) -> _Function:
    """Return a function that does the same and is recorded."""
    if isinstance(function, staticmethod | classmethod):
        return type(function)(decorate(function.__func__, recorder))
    arguments = Arguments(function)
    name = getattr(function, "__qualname__", "") or type_name(type(function))

    def begin(positional: tuple[object, ...], named: dict[str, object], *, streamed: bool) -> Call:
        call = recorder.start(name)
        call.streamed = streamed
        with guarded("observe"):
            call.keep_input(arguments.preview(positional, named))
        return call

    return cast("_Function", _shape(function)(function, begin, recorder))


def _shape(function: Callable[..., object]) -> Callable[..., object]:
    for body in (function, type(function).__call__):  # of an object, its class has the body
        if inspect.isasyncgenfunction(body):
            return _async_generator
        if inspect.isgeneratorfunction(body):
            return _generator
        if inspect.iscoroutinefunction(body):
            return _coroutine
    return _plain


def _within(recorder: Recorder, call: Call, started: Any) -> Any:
    """Return a coroutine or generator that does what ``started`` does, inside a span if it is one."""
    return step_inside(call.session, started) if recorder.is_around else started


def _plain(function: Callable[..., object], begin: _Begin, recorder: Recorder) -> Callable[..., object]:
    is_around = recorder.is_around

    @functools.wraps(function)
    def observed(*arguments: object, **named: object) -> object:
        call = begin(arguments, named, streamed=False)
        try:
            if is_around:
                result = run_inside(call.session, function, *arguments, **named)
            else:
                result = function(*arguments, **named)
            return _settle(result, recorder, call)
        except BaseException as error:  # of the function, or an interrupt after it
            fail(recorder, call, error)
            raise

    return observed


def _settle(result: Any, recorder: Recorder, call: Call) -> object:
    """Return what a function returned; if that is yet to run, return one like it that ends the call."""
    kind = type(result)  # isinstance() raises for an unbound proxy
    call.streamed = issubclass(kind, GeneratorType | AsyncGeneratorType)
    if issubclass(kind, GeneratorType):
        return run_generator(_within(recorder, call, result), recorder, call)
    if issubclass(kind, AsyncGeneratorType):
        finalizer = StreamFinalizer(call)  # the generator may be dropped before its first step
        return make_async_generator(lambda: (_within(recorder, call, result), call, finalizer), recorder)()
    if issubclass(kind, CoroutineType):
        return run_coroutine(_within(recorder, call, result), recorder, call)
    if callable(getattr(kind, "add_done_callback", None)):
        with guarded("observe"):
            end_with_future(result, recorder, call)
        return result
    recorder.end(result, call)
    return result


def _coroutine(
    function: Callable[..., Awaitable[object]], begin: _Begin, recorder: Recorder
) -> Callable[..., Awaitable[object]]:
    @functools.wraps(function)
    async def observed(*arguments: object, **named: object) -> object:
        inner = function(*arguments, **named)
        call = begin(arguments, named, streamed=False)
        return await run_coroutine(_within(recorder, call, inner), recorder, call)

    return observed


def _generator(
    function: Callable[..., Generator[object, object, object]], begin: _Begin, recorder: Recorder
) -> Callable[..., Generator[object, object, object]]:
    def start(
        *arguments: object, **named: object
    ) -> tuple[Generator[object, object, object], Call, StreamFinalizer]:
        inner = function(*arguments, **named)
        call = begin(arguments, named, streamed=True)
        return _within(recorder, call, inner), call, StreamFinalizer(call)

    return as_awaitable(function, functools.wraps(function)(make_generator(start, recorder)))


def _async_generator(
    function: Callable[..., AsyncGenerator[object, object]], begin: _Begin, recorder: Recorder
) -> Callable[..., AsyncGenerator[object, object]]:
    def start(
        *arguments: object, **named: object
    ) -> tuple[AsyncGenerator[object, object], Call, StreamFinalizer]:
        inner = function(*arguments, **named)
        call = begin(arguments, named, streamed=True)
        return _within(recorder, call, inner), call, StreamFinalizer(call)

    return functools.wraps(function)(make_async_generator(start, recorder))
