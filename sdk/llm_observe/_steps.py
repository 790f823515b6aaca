"""Runs an observed function's generators and coroutines step by step, as if they were not observed.

What is sent and thrown into them arrives, and what they return or raise is returned and raised.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from llm_observe._providers import Reader
from llm_observe._stream_ends import StreamFinalizer, fail

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject


class ResultReader(Reader, Protocol):
    """Reads what a function yields, raises and returns."""

    def end(self, result: object, call: Call) -> None:
        """Record what a function returned, and end its call."""


def run_generator(
    inner: Generator[object, object, object], reader: ResultReader, call: Call
) -> Generator[object, object, object]:
    """Return a generator that does what ``inner`` does, as a stream."""
    finalizer = StreamFinalizer(call)
    resume: Callable[[], object] = partial(next, inner)
    try:
        while True:
            value = resume()
            reader.read_chunk(value, call)
            try:
                sent = yield value
            except GeneratorExit:
                inner.close()
                raise
            except BaseException as error:  # noqa: BLE001 - the application throws it into the generator
                resume = partial(inner.throw, error)
            else:
                resume = partial(inner.send, sent)
    except StopIteration as end:
        call.finish()
        return end.value
    except BaseException as error:
        fail(reader, call, error)
        raise
    finally:
        del finalizer


def make_async_generator(
    start: Callable[..., tuple[AsyncGenerator[object, object], Call]], reader: ResultReader
) -> Callable[..., AsyncGenerator[object, object]]:
    """Return a function like run_generator() for asynchronous generators, which cannot delegate.

    ``start`` is called with the function's arguments, at the first step.
    """

    async def observed(*arguments: object, **named: object) -> AsyncGenerator[object, object]:
        inner, call = start(*arguments, **named)
        finalizer = StreamFinalizer(call)
        resume: Awaitable[object] = anext(inner)
        try:
            while True:
                value = await resume
                reader.read_chunk(value, call)
                try:
                    sent = yield value
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - as above
                    resume = inner.athrow(error)
                else:
                    resume = inner.asend(sent)
        except StopAsyncIteration:
            call.finish()
        except BaseException as error:
            fail(reader, call, error)
            raise
        finally:
            del finalizer

    return observed


async def run_coroutine(inner: Awaitable[object], reader: ResultReader, call: Call) -> object:
    """Return what a coroutine returns, and end the call."""
    finalizer = StreamFinalizer(call)
    try:
        result = await inner
    except BaseException as error:
        fail(reader, call, error)
        raise
    finally:
        finalizer.release()
    reader.end(result, call)
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
