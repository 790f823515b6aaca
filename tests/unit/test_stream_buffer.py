"""A provider's chunks reach the reader completely, in order, and with bounded memory."""

from __future__ import annotations

import asyncio

import pytest

from server.chat.idle_timeout import IdleTimeout
from server.chat.stream_buffer import StreamBuffer
from tests.support.timers import FakeTimers


class Provider:
    """Yields the given chunks, and counts those that were taken."""

    def __init__(self, *chunks, error=None):
        self.chunks, self.error = chunks, error
        self.taken = 0

    async def __aiter__(self):
        for chunk in self.chunks:
            self.taken += 1
            yield chunk
        if self.error is not None:
            raise self.error


@pytest.fixture
def timers():
    return FakeTimers()


@pytest.fixture
def timeouts():
    return []


@pytest.fixture
async def read(timers, timeouts):
    """Start reading a provider; returns the buffer."""
    tasks = []

    def start(provider) -> StreamBuffer:
        buffer = StreamBuffer()

        async def fill() -> None:
            idle = IdleTimeout(10, lambda: timeouts.append(True), timers.call_later)
            try:
                await buffer.fill(aiter(provider), idle)
            except ConnectionError as error:
                buffer.end(error)
            else:
                buffer.end()
            finally:
                idle.stop()

        tasks.append(asyncio.create_task(fill()))
        return buffer

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def settle():
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_waiting_chunks_after_the_first_are_joined(read):
    assert [text async for text in read(Provider("a", "b", "c"))] == ["a", "bc"]


async def test_a_chunk_is_delivered_as_it_arrives(read):
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def slow():
        while (chunk := await queue.get()) is not None:
            yield chunk

    buffer = read(slow())
    for chunk in ("a", "b"):
        queue.put_nowait(chunk)
        assert await anext(buffer) == chunk
    queue.put_nowait(None)
    assert [text async for text in buffer] == []
    assert [text async for text in buffer] == []


async def test_a_slow_reader_keeps_the_provider_waiting(read):
    provider = Provider(*["x" * 1024] * 1000)
    buffer = read(provider)
    await settle()
    assert provider.taken == 16
    assert len("".join([text async for text in buffer])) == 1024 * 1000


async def test_a_slow_reader_does_not_cause_an_idle_timeout(read, timers, timeouts):
    buffer = read(Provider(*["x" * 1024] * 100))
    chars = 0
    while chars < 1024 * 100:
        await settle()
        timers.advance(1000)
        chars += len(await anext(buffer))
    assert not timeouts


async def test_a_silent_provider_times_out(read, timers, timeouts):
    async def silent():
        yield "a"
        await asyncio.Event().wait()

    buffer = read(silent())
    assert await anext(buffer) == "a"
    timers.advance(12.5)
    assert timeouts == [True]


async def test_an_error_is_raised_after_the_chunks_before_it(read):
    buffer = read(Provider("a", "b", error=ConnectionError("cut")))
    assert [await anext(buffer), await anext(buffer)] == ["a", "b"]
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await anext(buffer)
