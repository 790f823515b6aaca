"""The loops of streams that have little but text, in plain Python: the twin of _compiled/text_loops.pyx.

They do the same as those of _loops.py, but a text is all that is read of a chunk: each attribute more is a
miss of the CPU's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._stream_ends import fail
from llm_observe._values import KEPT_TEXT_CHARS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from llm_observe._call import Call
    from llm_observe._loops import Note
    from llm_observe._providers import Reader
    from llm_observe._stream_ends import StreamFinalizer
    from llm_observe._vendor import VendorObject

_RESPONSE_TEXT: Final = "response.output_text.delta"


def pass_texts(
    inner: Iterator[VendorObject], provider: Reader, call: Call, finalizer: StreamFinalizer, read: Note
) -> Iterator[VendorObject]:
    """Yield the chunks of a stream and end its call. ``read`` reads all of a chunk that is more than text."""
    append, text_of, room, begun = call.output_chunks.append, call.text_of, 0, False
    try:
        for chunk in inner:
            try:
                text = text_of(chunk)  # type: ignore[misc] # the caller knows that it is there
                if text and room > 0:
                    room -= len(text)
                    append(text if room >= 0 else text[:room])
            except Exception:  # noqa: BLE001 - a chunk of another shape is read below
                text = None
            if begun and text:
                call.last_chunk = chunk  # some servers send usage and the finish reason with the text
            elif not read(chunk):
                continue
            elif not begun and call.ttft_ns is not None:
                begun, room = True, KEPT_TEXT_CHARS - call.output_chars
            yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()
    del finalizer


async def apass_texts(
    inner: AsyncIterator[VendorObject], provider: Reader, call: Call, finalizer: StreamFinalizer, read: Note
) -> AsyncGenerator[VendorObject, None]:
    """Like pass_texts(), for an asynchronous stream."""
    append, text_of, room, begun = call.output_chunks.append, call.text_of, 0, False
    try:
        async for chunk in inner:
            try:
                text = text_of(chunk)  # type: ignore[misc] # as above
                if text and room > 0:
                    room -= len(text)
                    append(text if room >= 0 else text[:room])
            except Exception:  # noqa: BLE001 - as above
                text = None
            if begun and text:
                call.last_chunk = chunk  # some servers send usage and the finish reason with the text
            elif not read(chunk):
                continue
            elif not begun and call.ttft_ns is not None:
                begun, room = True, KEPT_TEXT_CHARS - call.output_chars
            yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()
    del finalizer


# Each returns the text of a chunk, and raises anything if the chunk has another shape.


def chat_text(chunk: VendorObject) -> VendorObject:
    """Of OpenAI's chat completions."""
    return chunk.choices[0].delta.content


def response_text(event: VendorObject) -> VendorObject:
    """Of OpenAI's Responses."""
    return event.delta if event.type == _RESPONSE_TEXT else None


def message_text(event: VendorObject) -> VendorObject:
    """Of Anthropic's messages."""
    if event.type != "content_block_delta":  # others have no delta, and to raise an error for each is slow
        return None
    delta = event.delta
    return delta.text if delta.type == "text_delta" else None


def candidate_text(chunk: VendorObject) -> VendorObject:
    """Of Gemini's answers."""
    (part,) = chunk.candidates[0].content.parts
    return None if part.thought else part.text
