"""Functions that run in a session. Loaded with the first use of ``@session()``."""

from __future__ import annotations

import functools
import inspect
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from contextlib import AbstractContextManager

    _Open = Callable[[], AbstractContextManager[str]]

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def run_in(open_session: _Open, function: _Function) -> _Function | None:
    """Return a coroutine or generator function that runs in a session; None if it is of neither kind."""
    for wrap, is_of_kind in _WRAPPERS.items():
        if is_of_kind(function):
            return cast("_Function", functools.wraps(function)(wrap(function, open_session)))
    return None


def _wrap_coroutine(function: Callable[..., Any], open_session: _Open) -> Callable[..., Any]:
    async def in_session(*arguments: object, **named: object) -> object:
        with open_session():
            return await function(*arguments, **named)

    return in_session


def _wrap_generator(function: Callable[..., Any], open_session: _Open) -> Callable[..., Any]:
    def in_session(*arguments: object, **named: object) -> Generator[object, object, object]:
        with open_session():
            return (yield from function(*arguments, **named))

    return in_session


def _wrap_async_generator(function: Callable[..., Any], open_session: _Open) -> Callable[..., Any]:
    async def in_session(*arguments: object, **named: object) -> AsyncGenerator[object, object]:
        with open_session():
            async with aclosing(function(*arguments, **named)) as steps:
                resume = anext(steps)
                while True:
                    try:
                        value = await resume
                    except StopAsyncIteration:
                        return
                    try:
                        sent = yield value
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001 - the application throws it into the generator
                        resume = steps.athrow(error)
                    else:
                        resume = steps.asend(sent)

    return in_session


_WRAPPERS: Final = {
    _wrap_coroutine: inspect.iscoroutinefunction,
    _wrap_generator: inspect.isgeneratorfunction,
    _wrap_async_generator: inspect.isasyncgenfunction,
}
