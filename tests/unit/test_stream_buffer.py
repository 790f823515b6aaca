"""What a provider says reaches the caller whole, in order, and without filling the memory."""

from __future__ import annotations

import asyncio

import pytest

from server.chat.stream_buffer import StreamBuffer


class Provider:
    """Says what it is told to, and counts what was taken of it."""

    def __init__(self, *pieces, error=None):
        self.pieces, self.error = pieces, error
        self.taken = 0

    async def __aiter__(self):
        for piece in self.pieces:
            self.taken += 1
            yield piece
        if self.error is not None:
            raise self.error


async def read_all(reading):
    texts = []
    while (text := await reading.next()) is not None:
        texts.append(text)
    return texts


async def test_after_the_first_pieces_that_are_there_at_once_come_as_one():
    assert await read_all(StreamBuffer(aiter(Provider("a", "b", "c")))) == ["a", "bc"]


async def test_a_piece_goes_out_as_it_comes():
    gate: asyncio.Queue[str | None] = asyncio.Queue()

    async def slow():
        while (piece := await gate.get()) is not None:
            yield piece

    reading = StreamBuffer(slow())
    for piece in ("a", "b"):
        gate.put_nowait(piece)
        assert await reading.next() == piece
    gate.put_nowait(None)
    assert await reading.next() is None
    assert await reading.next() is None


async def test_a_slow_caller_keeps_the_provider_waiting():
    provider = Provider(*["x" * 1024] * 1000)
    reading = StreamBuffer(aiter(provider))
    await asyncio.sleep(0.05)
    assert provider.taken == 16
    assert len("".join(await read_all(reading))) == 1024 * 1000


async def test_an_error_comes_after_what_came_before_it():
    reading = StreamBuffer(aiter(Provider("a", "b", error=ConnectionError("cut"))))
    assert [await reading.next(), await reading.next()] == ["a", "b"]
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await reading.next()


async def test_closing_ends_the_provider_where_it_waits():
    ended = []

    async def silent():
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    reading = StreamBuffer(silent())
    assert await reading.next() == "a"
    await asyncio.sleep(0.01)
    await reading.aclose()
    await reading.aclose()
    assert ended == [True]
