"""Functions that run in a session. Loaded with the first use of ``@session()``."""

from __future__ import annotations

import functools
import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from llm_observe._steps import as_awaitable

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
    # As in make_generator(), not by ``yield from``.
    def in_session(*arguments: object, **named: object) -> Generator[object, object, object]:
        with open_session():
            steps = function(*arguments, **named)
            resume = partial(next, steps)
            try:
                while True:
                    value = resume()
                    try:
                        sent = yield value
                    except BaseException as error:  # noqa: BLE001 - the application throws it into the generator
                        resume = partial(steps.throw, error)
                    else:
                        resume = partial(steps.send, sent)
            except StopIteration as end:
                return end.value
            finally:
                del resume  # what was thrown refers to this frame

    return as_awaitable(function, in_session)


def _wrap_async_generator(function: Callable[..., Any], open_session: _Open) -> Callable[..., Any]:
    async def in_session(*arguments: object, **named: object) -> AsyncGenerator[object, object]:
        with open_session():
            steps = function(*arguments, **named)
            resume = anext(steps)
            try:
                while True:
                    value = await resume
                    try:
                        sent = yield value
                    except BaseException as error:  # noqa: BLE001 - as above
                        resume = steps.athrow(error)
                    else:
                        resume = steps.asend(sent)
            except StopAsyncIteration:
                return
            finally:
                del resume

    return in_session


_WRAPPERS: Final = {
    _wrap_coroutine: inspect.iscoroutinefunction,
    _wrap_generator: inspect.isgeneratorfunction,
    _wrap_async_generator: inspect.isasyncgenfunction,
}
