"""Reads an HTTP response from its bytes, while they pass on to the application unchanged.

Applications that ask for raw responses may forward them, or parse them by themselves or by the client.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from llm_observe._call import CANCELLED, Call
from llm_observe._guard import attempt
from llm_observe._providers.fields import parse_json_object
from llm_observe._stand_in import observe
from llm_observe._stream_ends import StreamFinalizer, fail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llm_observe._providers import AnswerReader
    from llm_observe._vendor import VendorClass, VendorObject

_MAX_BYTES: Final = 4 * 1024 * 1024
"""Longest answer, or event of a stream, that is read."""
_ZLIB_OR_GZIP: Final = zlib.MAX_WBITS | 32


def read_passing_bytes(provider: AnswerReader, call: Call, response: VendorObject) -> None:
    """Record a response as its body is read. Of a body whose class cannot be replaced, nothing is known."""
    body = response.stream
    reader = _Reader(provider, call, response.headers.get("content-encoding", ""))
    try:
        body._llm_observe_reader = reader  # noqa: SLF001 - ours
        observe(body, _body_members)
    except (AttributeError, TypeError):
        reader.give_up()
        reader.end()


def read_events(provider: AnswerReader, call: Call, content: bytes) -> None:
    """Record a stream that has arrived whole, such as one that a hook of the HTTP client has read."""
    reader = _Reader(provider, call, "")
    reader.feed(content)
    reader.end()


class _Reader:
    """Reads the bytes of one response."""

    def __init__(self, provider: AnswerReader, call: Call, encoding: str) -> None:
        self._provider, self._call = provider, call
        self._finalizer = StreamFinalizer(call)
        self._has_begun = False
        self._unread = bytearray()
        self._event: list[bytes] = []
        """The lines of data of an event that has begun."""
        self._is_readable = encoding in {"", "identity", "gzip", "deflate"}
        call.needs_end = call.needs_end and self._is_readable
        self._decompress = (
            zlib.decompressobj(_ZLIB_OR_GZIP).decompress if encoding in {"gzip", "deflate"} else None
        )

    def begin(self) -> bool:
        """Return whether the body is read for the first time: only then does it answer the call."""
        first, self._has_begun = not self._has_begun, True
        return first

    def feed(self, data: bytes) -> None:
        """Read some bytes."""
        if self._is_readable and not self._call.finished:
            attempt("read_bytes", self._feed, data)

    def _feed(self, data: bytes) -> None:
        try:
            self._unread += self._decompress(data) if self._decompress else data
        except zlib.error:
            self.give_up()
        if self._call.streamed:
            *lines, rest = self._unread.split(b"\n")
            self._unread = rest
            for line in lines:
                self._read_line(bytes(line).rstrip(b"\r"))
        if len(self._unread) > _MAX_BYTES:
            self.give_up()

    def _read_line(self, line: bytes) -> None:
        """Read a line of server-sent events; an empty one ends an event."""
        if line.startswith(b"data:"):
            self._event.append(line[5:])
        elif not line and self._event:
            text, self._event = b"\n".join(self._event), []
            if (event := parse_json_object(text)) is not None:
                attempt("read_chunk", self._provider.read_chunk, event, self._call)

    def give_up(self) -> None:
        """Read no more: nothing is known of how the answer ends."""
        self._is_readable = self._call.needs_end = False
        self._unread.clear()

    def end(self) -> None:
        """End the call: its bytes have all passed."""
        if self._call.streamed:
            self.feed(b"\n\n")
        elif self._is_readable and not self._call.finished:
            if (answer := parse_json_object(bytes(self._unread))) is not None:
                attempt("read_response", self._provider.read_response, answer, self._call)
            else:
                self.give_up()
        self._finalizer.release()
        self._call.finish()

    def fail(self, error: BaseException) -> None:
        """End the call: its bytes broke off."""
        self._finalizer.release()
        fail(self._provider, self._call, error)

    def leave(self) -> None:
        """End the call: the application has closed the response. After the end, this does nothing."""
        self._finalizer.release()
        self._call.finish(CANCELLED)


def _body_members(body_class: VendorClass) -> dict[str, object]:
    members = {**_iterators(body_class), **_closers(body_class)}
    return {name: method for name, method in members.items() if hasattr(body_class, name)}


def _iterators(body_class: VendorClass) -> dict[str, object]:
    def passing(self: VendorObject) -> Iterator[bytes]:
        reader: _Reader = self._llm_observe_reader
        first = reader.begin()
        try:
            for data in body_class.__iter__(self):
                if first:
                    reader.feed(data)
                yield data
        except BaseException as error:
            reader.fail(error)
            raise
        reader.end()

    async def apassing(self: VendorObject) -> AsyncIterator[bytes]:
        reader: _Reader = self._llm_observe_reader
        first = reader.begin()
        try:
            async for data in body_class.__aiter__(self):
                if first:
                    reader.feed(data)
                yield data
        except BaseException as error:
            reader.fail(error)
            raise
        reader.end()

    return {"__iter__": passing, "__aiter__": apassing}


def _closers(body_class: VendorClass) -> dict[str, object]:
    def close(self: VendorObject) -> None:
        self._llm_observe_reader.leave()
        body_class.close(self)

    async def aclose(self: VendorObject) -> None:
        self._llm_observe_reader.leave()
        await body_class.aclose(self)

    return {"close": close, "aclose": aclose}
