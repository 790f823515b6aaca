"""Group commit: one bounded group at a time, and each caller gets the result of its item."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.virtual_time import in_virtual_time
from worker.queue.coalescer import Coalescer, CoalescerFull, WaitedTooLong


class Sink:
    """Keeps the groups it was given; waits while ``open`` is clear."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, items):
        self.groups.append(list(items))
        await self.open.wait()
        if 13 in items:
            raise ValueError("unlucky")
        return [item * 2 for item in items]


async def test_items_put_during_a_write_share_the_next_group():
    sink = Sink()
    coalescer = Coalescer(sink, group_size=100, waiting_size=100)
    sink.open.clear()
    tasks = [asyncio.ensure_future(coalescer.put(number, 1)) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    late = asyncio.ensure_future(coalescer.put(9, 1))
    await asyncio.sleep(0)
    sink.open.set()
    assert await asyncio.gather(*tasks, late) == [0, 2, 4, 6, 8, 18]
    assert [number for group in sink.groups for number in group] == [0, 1, 2, 3, 4, 9]
    assert len(sink.groups) <= 3


async def test_groups_are_bounded_and_one_large_item_always_fits():
    sink = Sink()
    coalescer = Coalescer(sink, group_size=10, waiting_size=1000)
    await asyncio.gather(*(coalescer.put(number, 4) for number in range(6)), coalescer.put(7, 50))
    assert [len(group) for group in sink.groups] == [2, 2, 2, 1]


async def test_an_item_beyond_the_waiting_size_is_refused_unprocessed():
    sink = Sink()
    sink.open.clear()
    coalescer = Coalescer(sink, group_size=1, waiting_size=3)
    tasks = [asyncio.ensure_future(coalescer.put(number, 1)) for number in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(CoalescerFull):
        await coalescer.put(8, 3)
    sink.open.set()
    await asyncio.gather(*tasks)
    assert sorted(number for group in sink.groups for number in group) == [0, 1, 2]


async def test_a_failure_reaches_only_the_callers_of_its_group():
    sink = Sink()
    sink.open.clear()
    coalescer = Coalescer(sink, group_size=2, waiting_size=100)
    tasks = [asyncio.ensure_future(coalescer.put(number, 1)) for number in (1, 13, 2, 3)]
    await asyncio.sleep(0.01)
    sink.open.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError, int, int]
    assert await coalescer.put(4, 1) == 8


async def test_a_cancelled_caller_does_not_stop_the_others():
    sink = Sink()
    sink.open.clear()
    coalescer = Coalescer(sink, group_size=100, waiting_size=100)
    first, second = (asyncio.ensure_future(coalescer.put(number, 1)) for number in (1, 2))
    await asyncio.sleep(0.01)
    first.cancel()
    sink.open.set()
    assert await second == 4
    assert [number for group in sink.groups for number in group] == [1, 2]


@in_virtual_time
async def test_a_busy_coalescer_lingers_for_a_single_caller():
    sink = Sink()
    coalescer = Coalescer(sink, group_size=100, waiting_size=100, linger_s=0.3)

    async def put_soon_after(number):
        await asyncio.sleep(0.01)
        return await coalescer.put(number, 1)

    await asyncio.gather(*(coalescer.put(number, 1) for number in range(3)))
    await asyncio.gather(coalescer.put(4, 1), *(put_soon_after(number) for number in (5, 6)))
    assert sink.groups[-1] == [4, 5, 6]
    # No caller joined it, so the next group starts at once.
    await coalescer.put(7, 1)
    pending = asyncio.ensure_future(coalescer.put(8, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sink.groups[-2:] == [[7], [8]]
    await pending


@in_virtual_time
async def test_a_large_queue_is_written_without_lingering():
    sink = Sink()
    coalescer = Coalescer(sink, group_size=100, waiting_size=100, linger_s=30.0, linger_below=10)
    await asyncio.gather(coalescer.put(1, 6), coalescer.put(2, 6))
    assert asyncio.get_running_loop().time() == 0
    assert sink.groups == [[1, 2]]


@in_virtual_time
async def test_an_item_queued_too_long_is_refused_unprocessed():
    sink = Sink()
    sink.open.clear()
    coalescer = Coalescer(sink, group_size=1, waiting_size=100, queue_timeout_s=0.02)
    first, late = (asyncio.ensure_future(coalescer.put(number, 1)) for number in (1, 2))
    await asyncio.sleep(0.05)
    sink.open.set()
    assert await first == 2
    with pytest.raises(WaitedTooLong):
        await late
    assert sink.groups == [[1]]
    assert await coalescer.put(3, 1) == 6
