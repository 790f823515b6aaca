"""Compares the files of the lake with what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analytics.lake.layout import hour_file
from analytics.lake.store import LakeUnavailable, check_writable
from analytics.lake.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analytics.lake.store import LakeStore
    from storage.lake import LakeHour


class FileCheck(NamedTuple):
    """What became of files."""

    intact: list[LakeHour]
    lost: list[LakeHour]
    """No longer in the lake."""
    damaged: list[LakeHour]
    """Not what was written, or not readable."""


async def find_lost(store: LakeStore, hours: Iterable[LakeHour]) -> list[LakeHour]:
    """Return the clean hours whose files are not in the lake, or have another size than what was written.

    Raises:
        LakeUnavailable: The lake cannot be asked.
    """
    files = {hour_file(*each.key): each for each in hours if each.is_clean and each.row_count}
    sizes = await run_in_thread(lambda: store.sizes(files))
    return [each for name, each in files.items() if sizes.get(name) != each.size_bytes]


async def check_files(store: LakeStore, hours: Iterable[LakeHour]) -> FileCheck:
    """Read the files of hours, one after the other, and compare their SHA-256 with that of what was written.

    Raises:
        LakeUnavailable: The lake is away.
    """
    found = FileCheck([], [], [])
    for hour in hours:
        digest = await run_in_thread(lambda: _read_digest(store, hour_file(*hour.key)))  # noqa: B023 - awaited here
        if digest == hour.sha256:
            found.intact.append(hour)
        else:
            (found.damaged if digest else found.lost).append(hour)
    return found


def _read_digest(store: LakeStore, name: str) -> str:
    try:
        return store.digest(name)
    except LakeUnavailable:
        check_writable(store)
        return "not readable"  # while the lake is
