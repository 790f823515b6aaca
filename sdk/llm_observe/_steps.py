"""Runs an observed function's generators and coroutines step by step, as if they were not observed.

What is sent and thrown into them arrives, and what they return or raise is returned and raised.
"""

from __future__ import annotations

import inspect
import types
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from llm_observe._call import CANCELLED, SUCCESS
from llm_observe._providers import Reader
from llm_observe._stream_ends import StreamFinalizer, fail

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator

    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject

_GeneratorFunction = TypeVar("_GeneratorFunction", bound="Callable[..., Generator[object, object, object]]")


class ResultReader(Reader, Protocol):
    """Reads what a function yields, raises and returns."""

    def end(self, result: object, call: Call) -> None:
        """Record what a function returned, and end its call."""


def run_generator(
    inner: Generator[object, object, object], reader: ResultReader, call: Call
) -> Generator[object, object, object]:
    """Return a generator that does what ``inner`` does, as a stream. It may be dropped before it begins."""
    finalizer = StreamFinalizer(call)
    return make_generator(lambda: (inner, call, finalizer), reader)()


def make_generator(
    start: Callable[..., tuple[Generator[object, object, object], Call, StreamFinalizer]],
    reader: ResultReader,
) -> Callable[..., Generator[object, object, object]]:
    """Return a generator function whose generators do what those that ``start`` returns do, as streams.

    ``start`` is called with the function's arguments, at the first step.
    """

    # Not by ``yield from``, which closes a generator that GeneratorExit is thrown into.
    def observed(*arguments: object, **named: object) -> Generator[object, object, object]:
        inner, call, finalizer = start(*arguments, **named)
        resume: Callable[[], object] = partial(next, inner)
        outcome = SUCCESS
        try:
            while True:
                value = resume()
                reader.read_chunk(value, call)
                try:
                    sent = yield value
                except BaseException as error:  # noqa: BLE001 - the application throws it into the generator
                    outcome = _outcome_after(error)
                    resume = partial(inner.throw, error)
                else:
                    resume = partial(inner.send, sent)
        except StopIteration as end:
            call.finish(outcome)
            return end.value
        except BaseException as error:
            fail(reader, call, error)
            raise
        finally:
            del finalizer, resume  # what was thrown refers to this frame

    return observed


def as_awaitable(function: object, generator_function: _GeneratorFunction) -> _GeneratorFunction:
    """Return a generator function whose generators can be awaited if those of ``function`` can."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & inspect.CO_ITERABLE_COROUTINE:
        types.coroutine(generator_function)  # changes the function
    return generator_function


def _outcome_after(thrown: BaseException) -> int:
    """Return the outcome of a generator that ends after an error was thrown into it."""
    return CANCELLED if isinstance(thrown, GeneratorExit) else SUCCESS


def make_async_generator(
    start: Callable[..., tuple[AsyncGenerator[object, object], Call, StreamFinalizer]], reader: ResultReader
) -> Callable[..., AsyncGenerator[object, object]]:
    """Like make_generator(), for asynchronous generators."""

    async def observed(*arguments: object, **named: object) -> AsyncGenerator[object, object]:
        inner, call, finalizer = start(*arguments, **named)
        resume: Awaitable[object] = anext(inner)
        outcome = SUCCESS
        try:
            while True:
                value = await resume
                reader.read_chunk(value, call)
                try:
                    sent = yield value
                except BaseException as error:  # noqa: BLE001 - as above
                    outcome = _outcome_after(error)
                    resume = inner.athrow(error)
                else:
                    resume = inner.asend(sent)
        except StopAsyncIteration:
            call.finish(outcome)
        except BaseException as error:
            fail(reader, call, error)
            raise
        finally:
            del finalizer, resume  # what was thrown refers to this frame

    return observed


def run_coroutine(
    inner: Awaitable[object], reader: ResultReader, call: Call
) -> Coroutine[object, object, object]:
    """Return a coroutine that does what ``inner`` does, and ends the call, even if it is never awaited."""
    return _run_coroutine(inner, reader, call, StreamFinalizer(call))


async def _run_coroutine(
    inner: Awaitable[object], reader: ResultReader, call: Call, finalizer: StreamFinalizer
) -> object:
    try:
        result = await inner
        reader.end(result, call)
    except BaseException as error:  # of the coroutine, or an interrupt after it
        fail(reader, call, error)
        raise
    finally:
        finalizer.release()
    return result


def end_with_future(future: VendorObject, reader: ResultReader, call: Call) -> None:
    """End the call when a future is done."""
    finalizer = StreamFinalizer(call)

    def end(done: VendorObject) -> None:
        finalizer.release()
        try:
            result = done.result()
        except BaseException as error:  # noqa: BLE001 - the application gets it from the future
            fail(reader, call, error)
        else:
            reader.end(result, call)

    future.add_done_callback(end)
