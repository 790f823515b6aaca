"""Copies the files of a lake in object storage to a local disk: query processes have no address and no key.

Whole files are kept, each under its version: sealed hours hardly change, and later queries find them here.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pyarrow.fs import FileType

from analytics.sandbox.errors import SourceUnavailable
from analytics.sandbox.query import MEBIBYTE, HourFile, hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from pyarrow.fs import FileInfo, FileSystem

_DOWNLOADS: Final = 16
"""At once; storage answers each slowly, and many well."""
_CHUNK_BYTES: Final = MEBIBYTE


class Spool:
    """A folder of copies, of which the least recently used ones are removed; one folder a server process."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    async def fetch(
        self,
        storage: FileSystem,
        lake: str,
        project_id: str,
        start: datetime,
        end: datetime,
        *,
        timeout_s: float,
    ) -> tuple[HourFile, ...]:
        """Return local copies of the project's files in [start, end); copy what is missing.

        Raises:
            SourceUnavailable: The storage does not answer, or not in time. Copies stay for the next call.
        """
        names = {hour: _name(project_id, hour) for hour in hours(start, end)}
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.to_thread(self._fetch, storage, lake, names)
        except (OSError, TimeoutError):
            raise SourceUnavailable(
                "The storage of older logs does not answer. Try again, or read fewer days."
            ) from None

    def _fetch(self, storage: FileSystem, lake: str, names: dict[datetime, str]) -> tuple[HourFile, ...]:
        infos = storage.get_file_info([f"{lake}/{name}/logs.parquet" for name in names.values()])
        present = [
            (hour, names[hour], info)
            for hour, info in zip(names, infos, strict=True)
            if info.type is FileType.File
        ]
        with ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="spool") as threads:
            paths = list(threads.map(lambda item: self._copy(storage, item[1], item[2]), present))
        self._evict(keep=set(paths))
        return tuple(HourFile(hour, str(path)) for (hour, _, _), path in zip(present, paths, strict=True))

    def _copy(self, storage: FileSystem, name: str, info: FileInfo) -> Path:
        path = self._folder / name / f"{info.mtime_ns}-{info.size}.parquet"
        if path.exists():
            os.utime(path)
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: a call that ran out of time may still copy the same file.
        partial = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
        try:
            with storage.open_input_stream(info.path) as source, partial.open("wb") as target:
                while data := source.read(_CHUNK_BYTES):
                    target.write(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        for older in path.parent.glob("*.parquet"):
            if older != path:
                older.unlink(missing_ok=True)
        return path

    def _evict(self, keep: set[Path]) -> None:
        """Remove the least recently used copies until the rest fits; a running query keeps its own open."""
        copies = sorted(_stats(self._folder.rglob("*.parquet")))
        excess = sum(size for _, size, _ in copies) - self._max_bytes
        for _, size, path in copies:
            if excess <= 0:
                return
            if path not in keep:
                path.unlink(missing_ok=True)
                excess -= size


def _stats(paths: Iterable[Path]) -> Iterator[tuple[int, int, Path]]:
    """Yield when a copy was last used, its size and its path; other calls remove some meanwhile."""
    for path in paths:
        with suppress(FileNotFoundError):
            found = path.stat()
            yield found.st_mtime_ns, found.st_size, path


def _name(project_id: str, hour: datetime) -> str:
    return f"project_id={project_id}/date={hour:%Y-%m-%d}/hour={hour:%H}"
