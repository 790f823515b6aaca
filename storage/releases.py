"""Which releases calls were of: read from a sample of them, as no index knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from storage.pool import Connection

_QUERIES: Final = load_queries(__file__)


class Seen(NamedTuple):
    """What a sample has of a release: how many calls, and when the first of them began."""

    call_count: int
    first_time: datetime


@dataclass(slots=True)
class Sample:
    """The latest calls of a part of a window, by release; ``''`` are those without one.

    ``call_count`` and ``first_time`` are of all that were read, those of other environments included.
    """

    call_count: int = 0
    first_time: datetime | None = None
    releases: dict[str, Seen] = field(default_factory=dict)

    def add(self, release: str, seen: Seen, *, is_wanted: bool) -> None:
        """Add calls; ``is_wanted`` is False for those that were read, and are of other environments."""
        self.call_count += seen.call_count
        self.first_time = min(self.first_time or seen.first_time, seen.first_time)
        if is_wanted:
            self.releases[release] = seen


async def sample_parts(
    connection: Connection,
    project_id: str,
    environments: Sequence[str] | None,
    parts: Sequence[tuple[datetime, datetime]],
    row_count: int,
) -> list[Sample]:
    """Return the latest calls of each part, at most ``row_count`` of them.

    Args:
        connection: Is asked.
        project_id: Whose calls.
        environments: Of which environments; None means all.
        parts: start_time from inclusive to exclusive.
        row_count: How many calls of a part to read.
    """
    samples = [Sample() for _ in parts]
    rows = await connection.fetch(
        _QUERIES["sample_parts"],
        project_id=project_id,
        environments=environments,
        start_times=[start for start, _ in parts],
        end_times=[end for _, end in parts],
        row_count=row_count,
    )
    for row in rows:
        seen = Seen(row["call_count"], row["first_time"])
        samples[row["number"] - 1].add(row["release"], seen, is_wanted=row["is_wanted"])
    return samples
