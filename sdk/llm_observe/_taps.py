"""Stream taps: read a vendor's stream while the application does. However a stream ends, it makes one log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe._extensions import apass_texts, pass_texts
from llm_observe._guard import swallow
from llm_observe._loops import apass_chunks, pass_chunks
from llm_observe._providers.fields import is_own, with_attributes
from llm_observe._stream_ends import StreamFinalizer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from llm_observe._call import Call
    from llm_observe._loops import Note
    from llm_observe._providers import Reader
    from llm_observe._vendor import VendorClass, VendorObject


def tap(
    inner: Iterator[VendorObject], provider: Reader, call: Call, *, hide: bool = False
) -> Iterator[VendorObject]:
    """Return the stream, recorded while it is read. ``hide`` drops chunks that carry nothing but usage."""
    loop = pass_chunks if call.text_of is None else pass_texts
    return loop(inner, provider, call, StreamFinalizer(call), _reading(provider, call, hide=hide))


def atap(
    inner: AsyncIterator[VendorObject], provider: Reader, call: Call, *, hide: bool = False
) -> AsyncGenerator[VendorObject, None]:
    """Like tap(), for an asynchronous stream."""
    loop = apass_chunks if call.text_of is None else apass_texts
    return loop(inner, provider, call, StreamFinalizer(call), _reading(provider, call, hide=hide))


def _reading(provider: Reader, call: Call, *, hide: bool) -> Note:
    """Return what reads all of a chunk, and says whether the application gets it."""

    def read(chunk: VendorObject) -> bool:
        try:
            kind: VendorClass = type(chunk)
            seen = with_attributes(chunk) if is_own(kind) else chunk
            return not (provider.read_chunk(seen, call) and hide)
        except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
            call.needs_end = False  # the end may have been in the chunk
            return not swallow("read_chunk", error)

    return read
