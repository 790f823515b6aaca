"""Few reads run at a time, projects take turns, and nobody waits behind a slow read, or for ever."""

from __future__ import annotations

import asyncio

import pytest

from server.reads.turns import ReadTurns, reads_at_once
from server.rpc.errors import ServerIsBusy

LONG_S = 1000.0


class Reads:
    """Reads that last until they are told to end, and the order in which they began."""

    def __init__(self, turns: ReadTurns) -> None:
        self._turns = turns
        self._ends: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str) -> None:
        """Start reads; the first letter of a name is the project."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._read(name))
            await settle()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await asyncio.wait([self.tasks[name]])
        await settle()

    async def _read(self, name: str) -> None:
        async with self._turns.take(name[0]):
            self.begun.append(name)
            await self._ends[name].wait()


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_so_many_reads_run_at_a_time(count):
    reads = Reads(ReadTurns(count, max_turn_s=LONG_S, max_wait_s=LONG_S))
    names = [f"a{n}" for n in range(6)]
    await reads.ask(*names)
    for place, name in enumerate(names):
        assert reads.begun == names[: place + count]
        await reads.end(name)
    await reads.ask("b")
    assert reads.begun[-1] == "b"  # every turn came back


async def test_projects_take_turns_whatever_each_asks_for():
    reads = Reads(ReadTurns(1, max_turn_s=LONG_S, max_wait_s=LONG_S))
    await reads.ask("a0", "a1", "a2", "a3", "b0", "c0", "b1")
    while len(reads.begun) < len(reads.tasks):
        await reads.end(reads.begun[-1])
    assert reads.begun == ["a0", "a1", "b0", "c0", "a2", "b1", "a3"]


async def test_a_slow_read_goes_on_beside_the_next_one():
    reads = Reads(ReadTurns(1, max_turn_s=0, max_wait_s=LONG_S))
    await reads.ask("a0", "a1", "a2")
    while len(reads.begun) < len(reads.tasks):
        await asyncio.sleep(0)
    assert not any(task.done() for task in reads.tasks.values())
    for name in reads.tasks:
        await reads.end(name)


async def test_who_waits_too_long_is_told_that_the_server_is_busy():
    turns = ReadTurns(1, max_turn_s=LONG_S, max_wait_s=0)
    reads = Reads(turns)
    await reads.ask("a0", "a1")
    with pytest.raises(ServerIsBusy) as caught:
        await reads.tasks["a1"]
    assert "retry later" in caught.value.message
    assert reads.begun == ["a0"]


@pytest.mark.parametrize("granted", [False, True], ids=["waiting", "just granted"])
async def test_who_leaves_takes_no_turn_away(granted):
    reads = Reads(ReadTurns(1, max_turn_s=LONG_S, max_wait_s=LONG_S))
    await reads.ask("a0", "a1", "a2")
    if granted:
        await end_without_settling(reads, "a0")
    reads.tasks["a1"].cancel()
    await settle()
    if not granted:
        await reads.end("a0")
    assert reads.begun[-1] == "a2"
    await reads.end("a2")
    await reads.ask("b0")
    assert reads.begun[-1] == "b0"


async def end_without_settling(reads, name):
    """End a read, and return before whoever got its turn has noticed."""
    noticed = asyncio.get_running_loop().create_future()
    reads.tasks[name].add_done_callback(noticed.set_result)
    reads._ends[name].set()
    await noticed


@pytest.mark.parametrize(
    ("cores", "processes", "count"), [(1, 1, 1), (2, 1, 1), (8, 1, 4), (8, 2, 2), (2, 4, 1)]
)
def test_reads_at_once_are_half_of_the_cores(cores, processes, count, monkeypatch):
    monkeypatch.setattr("server.reads.turns.count_cores", lambda: cores)
    assert reads_at_once(processes) == count
