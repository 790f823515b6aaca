"""Reads the bodies of HTTP requests, bounded before and after they are unpacked, in time and in memory."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from codec.otlp.limits import MAX_REQUEST_BYTES
from server.otlp.http_errors import BodyTooLarge, BodyTooSlow, EncodingUnknown, Undecodable
from server.rpc.errors import ServerIsBusy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

_READ_TIMEOUT_S: Final = 30.0
"""How long a body may take to arrive."""
_MAX_HELD_BYTES: Final = 256 * 1024 * 1024
"""How much the bodies that are in work may take together, unpacked: the largest, a dozen times."""
_STEP_BYTES: Final = 256 * 1024
_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class BodyReader:
    """Reads bodies; what all of them take together is bounded."""

    def __init__(self, max_bytes: int = MAX_REQUEST_BYTES, max_held_bytes: int = _MAX_HELD_BYTES) -> None:
        self._max_bytes = max_bytes
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0

    @contextmanager
    def opened(self) -> Iterator[Body]:
        """Open the body of a request; what it takes is given back at the end."""
        body = Body(self, self._max_bytes)
        try:
            yield body
        finally:
            self._held_bytes -= body.held_bytes

    def hold(self, size: int) -> None:
        """Take room for so many bytes.

        Raises:
            ServerIsBusy: There is none.
        """
        if self._held_bytes + size > self._max_held_bytes:
            raise ServerIsBusy
        self._held_bytes += size


class Body:
    """The body of one request."""

    def __init__(self, reader: BodyReader, max_bytes: int) -> None:
        self._reader = reader
        self._max_bytes = max_bytes
        self.held_bytes = 0

    async def read(self, request: Request) -> bytes:
        """Return the body, unpacked.

        Raises:
            BodyTooLarge: It is larger than a request may be, before or after it is unpacked.
            BodyTooSlow: It did not arrive in time.
            EncodingUnknown: It is packed in a way that is not known.
            Undecodable: It is not what its header says.
            ServerIsBusy: Too many bodies are in work.
        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "", *_WINDOW_BITS}:
            raise EncodingUnknown
        announced = request.headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            raise BodyTooLarge
        try:
            async with asyncio.timeout(_READ_TIMEOUT_S):
                packed = await self._collect(request.stream())
        except TimeoutError:
            raise BodyTooSlow from None
        return packed if encoding not in _WINDOW_BITS else self._unpack(packed, _WINDOW_BITS[encoding])

    async def _collect(self, chunks: AsyncIterator[bytes]) -> bytes:
        collected = bytearray()
        async for chunk in chunks:
            self._grow(len(chunk))
            collected += chunk
            if len(collected) > self._max_bytes:
                raise BodyTooLarge
        return bytes(collected)

    def _unpack(self, packed: bytes, window_bits: int) -> bytes:
        """Unpack in steps, so that a bomb is noticed before it has grown."""
        if window_bits == zlib.MAX_WBITS and packed[:1] != b"\x78":
            window_bits = -zlib.MAX_WBITS  # some senders leave out the header of zlib
        unpacked, rest = bytearray(), packed
        try:
            while rest:
                inflater = zlib.decompressobj(window_bits)
                while rest and not inflater.eof:
                    step = inflater.decompress(rest, _STEP_BYTES)
                    rest = inflater.unconsumed_tail
                    self._grow(len(step))
                    unpacked += step
                    if len(unpacked) > self._max_bytes:
                        raise BodyTooLarge
                if not inflater.eof:
                    raise Undecodable
                rest = inflater.unused_data
        except zlib.error:
            raise Undecodable from None
        return bytes(unpacked)

    def _grow(self, size: int) -> None:
        self._reader.hold(size)
        self.held_bytes += size
