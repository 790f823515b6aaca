"""The lake's files on a local disk, where queries open them. Those of a bucket are copied when needed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, cast

from pyarrow import ArrowException

from analytics.lake.folder import FolderStore
from analytics.lake.store import LakeUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection

    from analytics.lake.s3 import S3Store
    from analytics.lake.store import LakeStore
    from analytics.reports.history import History

_COPY_BYTES: Final = 1 << 20


class LocalFiles:
    """Paths of a lake's files. Copies are kept until they are the longest unused of too many.

    Args:
        store: The lake.
        max_bytes: Bytes that copies of a bucket's files may take, besides those of the question at hand.
    """

    def __init__(self, store: LakeStore, max_bytes: int) -> None:
        self.store = store
        self._max_bytes = max_bytes
        self._folder: Path | None = None
        self._lock = Lock()
        """One question at a time copies; others wait for what it may share with them."""

    def paths(self, history: History) -> list[str]:
        """Return the path of each file. Blocks while files are copied.

        Raises:
            LakeUnavailable: A file cannot be copied.
        """
        if isinstance(self.store, FolderStore):
            return [str(self.store.root / name) for name in history.names]
        with self._lock:
            return self._copy(cast("S3Store", self.store), history)

    def close(self) -> None:
        """Remove all copies."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _copy(self, store: S3Store, history: History) -> list[str]:
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="llm-observe-lake-"))
        wanted = {
            self._folder / f"{name}.{file.generation}": name
            for name, file in zip(history.names, history.files, strict=True)
        }
        _make_room(self._folder, self._max_bytes, keep=wanted.keys())
        for path, name in wanted.items():
            if path.exists():
                path.touch()
            else:
                _download(store, name, path)
        return [str(path) for path in wanted]


def _make_room(folder: Path, max_bytes: int, *, keep: Collection[Path]) -> None:
    """Remove the copies that were not used for longest."""
    found = [(path, path.stat()) for path in folder.rglob("*") if path.is_file()]
    size = 0
    for path, status in sorted(found, key=lambda each: each[1].st_mtime, reverse=True):
        size += status.st_size
        if size > max_bytes and path not in keep:
            path.unlink()


def _download(store: S3Store, name: str, path: Path) -> None:
    """Copy a file under another name first: one that is there is whole."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        source = store.filesystem().open_input_stream(f"{store.root}/{name}")
        with source, part.open("wb") as target:
            shutil.copyfileobj(source, target, _COPY_BYTES)
        part.rename(path)
    except (OSError, ArrowException) as error:
        raise LakeUnavailable(f"a file cannot be copied: {type(error).__name__}") from error
