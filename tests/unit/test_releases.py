"""Which releases begin in a window, however they take turns; and how much is read for that."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from analytics.releases import PARTS, ROWS, NewReleases, find_new_releases, split
from analytics.windows import Window
from storage.releases import Sample, Seen

START = datetime(2026, 11, 25, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Window(START, START + 24 * HOUR)
MOST_READ = 20_000
"""As the contract says."""

Call = tuple[datetime, str, bool]
"""When it began, of which release, and whether it is of a chosen environment."""


class Calls:
    """Calls in memory, read as the database reads them."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = sorted(calls)
        self._times = [time for time, _, _ in self._calls]
        self.read_count = 0

    async def read(self, parts: Sequence[Window]) -> list[Sample]:
        return [self._sample(part) for part in parts]

    def _sample(self, part: Window) -> Sample:
        start, end = (bisect_left(self._times, time) for time in part)
        latest = self._calls[max(start, end - ROWS) : end]
        self.read_count += len(latest)
        sample = Sample()
        for release, is_wanted in {call[1:] for call in latest}:
            times = [time for time, *of in latest if of == [release, is_wanted]]
            sample.add(release, Seen(len(times), min(times)), is_wanted=is_wanted)
        return sample


def calls_of(
    release_at: Callable[[int, timedelta], str], every: timedelta, *, since: timedelta
) -> list[Call]:
    """Return calls from ``since`` before the window to its end.

    ``release_at`` returns the release of a call, by its number and its time since the window's start.
    """
    count = int((since + 24 * HOUR) / every)
    times = [-since + every * number for number in range(count)]
    return [(START + time, release_at(number, time), True) for number, time in enumerate(times)]


def one_after_another(*hours: float) -> Callable[[int, timedelta], str]:
    """Return v0, v1 and so on, each from an hour on."""
    return lambda _, time: f"v{sum(time >= HOUR * hour for hour in hours)}"


def side_by_side(*hours: float, share: int) -> Callable[[int, timedelta], str]:
    """Return v0 until an hour; then v1 for one call in ``share`` until another hour; then v1 alone."""
    begin, end = (HOUR * hour for hour in hours)
    return lambda number, time: "v1" if time >= end or (time >= begin and number % share == 0) else "v0"


DENSE, SPARSE = timedelta(seconds=10), timedelta(minutes=20)
DAY = 24 * HOUR
EXACT = {
    "nothing new": (one_after_another(), DENSE, DAY, {}),
    "one takes over": (one_after_another(14.2), DENSE, DAY, {"v1": 14.2}),
    "in a quiet project": (one_after_another(14), SPARSE, DAY, {"v1": 14}),
    "before the window": (one_after_another(-3), DENSE, DAY, {}),
    "as the window begins": (one_after_another(0), DENSE, DAY, {"v1": 0}),
    "shortly before the window ends": (one_after_another(23.95), DENSE, DAY, {"v1": 23.95}),
    "several": (one_after_another(-3, 2, 9.5, 20), DENSE, DAY, {"v2": 2, "v3": 9.5, "v4": 20}),
    "two within a hundredth": (one_after_another(9.5, 9.6), DENSE, DAY, {"v1": 9.5, "v2": 9.6}),
    "one comes back": (
        lambda _, time: "v1" if 10 * HOUR <= time < 12 * HOUR else "v0", DENSE, DAY, {"v1": 10},
    ),
    "the very first one": (one_after_another(9), DENSE, timedelta(), {"v1": 9}),
    "the very first one, later": (one_after_another(9), DENSE, -5 * HOUR, {"v1": 9}),
    "calls had no release before": (
        lambda _, time: "v1" if time >= 9 * HOUR else "", DENSE, DAY, {"v1": 9},
    ),
    "two side by side all the time": (side_by_side(-24, 99, share=3), DENSE, DAY, {}),
}  # fmt: skip


async def find(calls: Sequence[Call], limit: int = 20) -> tuple[NewReleases, int]:
    found = Calls(calls)
    return await find_new_releases(found.read, WINDOW, limit), found.read_count


@pytest.mark.parametrize("name", EXACT)
async def test_the_first_call_of_a_new_release_is_found(name):
    release_at, every, since, expected = EXACT[name]
    found, read_count = await find(calls_of(release_at, every, since=since))
    first_times = {release.name: (release.first_time - START) / HOUR for release in found.releases}
    assert first_times == pytest.approx(expected, abs=DENSE / HOUR)
    assert [*first_times] == sorted(first_times, key=lambda release: -first_times[release])
    assert found.sampled == (every == DENSE)
    assert not found.truncated
    assert read_count <= MOST_READ


@pytest.mark.parametrize("share", [2, 4, 8])
async def test_one_that_comes_bit_by_bit_is_found_within_a_hundredth_of_the_window(share):
    found, _ = await find(calls_of(side_by_side(10, 16, share=share), DENSE, since=DAY))
    (release,) = found.releases
    assert timedelta() <= release.first_time - (START + 10 * HOUR) <= DAY / PARTS


async def test_a_stray_call_in_a_sample_says_nothing():
    calls = [*calls_of(one_after_another(), DENSE, since=DAY)]
    part = split(WINDOW, PARTS)[50]
    stray = (part.end - timedelta(milliseconds=1), "v-old", True)
    assert not (await find([*calls, stray]))[0].releases
    few = [call for call in calls if call[0].minute % 20 == 0 and not call[0].second]
    assert [release.name for release in (await find([*few, stray]))[0].releases] == ["v-old"]


async def test_other_environments_count_for_nothing():
    others = [(time, "v9", False) for time, _, _ in calls_of(one_after_another(), DENSE, since=DAY)]
    ours = calls_of(one_after_another(9), 2 * DENSE, since=DAY)
    found, _ = await find([*others, *ours])
    (release,) = found.releases
    assert release.name == "v1"
    assert timedelta() <= release.first_time - (START + 9 * HOUR) <= 2 * DENSE


async def test_of_hundreds_the_latest_are_named():
    found, read_count = await find(calls_of(lambda number, _: f"v{number // 40}", DENSE, since=DAY), limit=30)
    assert found.truncated
    names = [int(release.name[1:]) for release in found.releases]
    assert len(names) == 30
    assert names == sorted(names, reverse=True)
    assert names[0] == (48 * 360 - 1) // 40
    assert read_count <= MOST_READ


async def test_without_calls_there_is_none():
    assert await find([]) == (NewReleases([], truncated=False, sampled=False), 0)
