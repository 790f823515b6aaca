"""Which releases began in a window, and when: found in samples of its calls.

No index knows the release of a call, and a window may have ten million. So it is read in parts: of each, the
latest calls. Where a part has more, those before them are read likewise, in smaller parts, until the first
call of a release is found. A release that takes over at once is found to the call. One that begins with few
calls beside another is found where it has about one call in ``ROWS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.windows import Window
from storage.releases import Sample, sample_parts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from storage.pool import Database

    Read = Callable[[Sequence[Window]], Awaitable[list[Sample]]]
    """Returns the latest calls of each part, at most ROWS of them."""

ROWS: Final = 16
"""How many calls of a part are read."""
PARTS: Final = 100
"""In how many parts a window is read, and as many the one before it."""
_SMALLER_PARTS: Final = 8
_ROUNDS: Final = 4
_LEAST_CALLS: Final = 4
"""A release has so many calls in a sample, or may as well have had some before that were not read."""


class Release(NamedTuple):
    """A release, and when its first call began."""

    name: str
    first_time: datetime


class NewReleases(NamedTuple):
    """The latest releases that began in a window, newest first.

    ``truncated`` tells whether there are more; ``sampled``, whether some calls were not read.
    """

    releases: list[Release]
    truncated: bool
    sampled: bool


class _Found(NamedTuple):
    """A release, and the calls before its first known one that were not read."""

    release: Release
    unread: Window | None


async def list_new_releases(
    database: Database, project_id: str, environments: Sequence[str] | None, window: Window, limit: int
) -> NewReleases:
    """Return which releases began in a window; ``environments`` are those to look at, None means all."""
    async with database.connection() as connection:

        async def read(parts: Sequence[Window]) -> list[Sample]:
            return await sample_parts(connection, project_id, environments, parts, ROWS)

        return await find_new_releases(read, window, limit)


async def find_new_releases(read: Read, window: Window, limit: int) -> NewReleases:
    """Return which releases began in a window, and not in the one of the same length before it."""
    parts = split(window, PARTS)
    samples = await read(
        [*split(Window(window.start - (window.end - window.start), window.start), PARTS), *parts]
    )
    sampled = any(sample.call_count >= ROWS for sample in samples)
    here = samples[PARTS:]
    known = {name for sample in samples[:PARTS] for name in sample.releases} or _releases_at_start(here)
    counts = _count_calls(here)
    least = _LEAST_CALLS if sampled else 1
    found = {
        name: _find_first(name, parts, here)
        for name, count in counts.items()
        if name and name not in known and count >= least
    }
    latest = sorted(found, key=lambda name: found[name].release.first_time, reverse=True)[:limit]
    releases = await _find_first_calls(read, {name: found[name] for name in latest})
    releases.sort(key=lambda release: release.first_time, reverse=True)
    return NewReleases(releases, truncated=len(found) > limit, sampled=sampled)


def split(window: Window, count: int) -> list[Window]:
    """Return a window in parts of the same length."""
    borders = [window.start + (window.end - window.start) * number / count for number in range(count)]
    return [Window(*each) for each in zip(borders, [*borders[1:], window.end], strict=True)]


def _releases_at_start(samples: Sequence[Sample]) -> set[str]:
    """Return the release that calls begin with."""
    first = next((sample for sample in samples if sample.releases), Sample())
    return set(sorted(first.releases, key=lambda name: first.releases[name].first_time)[:1])


def _count_calls(samples: Sequence[Sample]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for sample in samples:
        for name, seen in sample.releases.items():
            counts[name] = counts.get(name, 0) + seen.call_count
    return counts


def _find_first(name: str, parts: Sequence[Window], samples: Sequence[Sample]) -> _Found:
    """Return the first call of a release among samples, one of which has it."""
    part, sample = next(pair for pair in zip(parts, samples, strict=True) if name in pair[1].releases)
    unread = None
    if sample.call_count >= ROWS and sample.first_time is not None and sample.first_time > part.start:
        unread = Window(part.start, sample.first_time)
    return _Found(Release(name, sample.releases[name].first_time), unread)


async def _find_first_calls(read: Read, found: Mapping[str, _Found]) -> list[Release]:
    """Return the releases with the time of their first call, looked for in what was not read."""
    firsts = dict(found)
    for _ in range(_ROUNDS):
        parts = {name: split(first.unread, _SMALLER_PARTS) for name, first in firsts.items() if first.unread}
        if not parts:
            break
        samples = iter(await read([part for of_release in parts.values() for part in of_release]))
        for name, of_release in parts.items():
            here = [next(samples) for _ in of_release]
            if any(name in sample.releases for sample in here):
                firsts[name] = _find_first(name, of_release, here)
            else:
                firsts[name] = firsts[name]._replace(unread=None)
    return [first.release for first in firsts.values()]
