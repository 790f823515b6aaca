"""The loops between a vendor's stream and the application, in which each chunk is recorded.

They are generators, which cost the application's thread the least per chunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe._stream_ends import fail

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from llm_observe._call import Call
    from llm_observe._providers import Reader
    from llm_observe._stream_ends import StreamFinalizer
    from llm_observe._vendor import VendorObject

    Note = Callable[[VendorObject], bool]
    """Records a chunk; returns whether the application gets it."""


def pass_chunks(
    inner: Iterator[VendorObject], provider: Reader, call: Call, finalizer: StreamFinalizer, note: Note
) -> Iterator[VendorObject]:
    """Yield the chunks of a stream and end its call."""
    try:
        for chunk in inner:
            if note(chunk):
                yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()
    del finalizer


async def apass_chunks(
    inner: AsyncIterator[VendorObject], provider: Reader, call: Call, finalizer: StreamFinalizer, note: Note
) -> AsyncGenerator[VendorObject, None]:
    """Like pass_chunks(), for an asynchronous stream."""
    try:
        async for chunk in inner:
            if note(chunk):
                yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()
    del finalizer
