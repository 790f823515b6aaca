"""Batches on disk: those that a process could not send before it died are sent by the next one.

``SPOOL_DIR/PRODUCER_ID/`` belongs to one process, which holds a lock (flock) on the file ``lock`` in it while
it lives. A batch is ``NUMBER-COUNT.batch``, a serialised and redacted IngestLogsRequest. It is written under
another name and renamed, so that it is complete or absent. It survives the process but is not synced to
survive a power cut.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_BATCH: Final = "*.batch"


class StoredBatch(NamedTuple):
    """A batch on disk."""

    path: Path
    log_count: int
    """Number of logs, from the file's name: a file that cannot be read must still be counted."""


class Spool:
    """This process's folder and those that it has adopted from dead processes.

    Args:
        directory: The spool, shared by processes.
        owner: Name of this process's folder; no other process may ever use it.
        max_bytes: Most bytes in this process's own folder.

    Raises:
        OSError: The folder cannot be created.
    """

    def __init__(self, directory: Path, owner: str, max_bytes: int) -> None:
        self._directory = directory
        self._own = directory / owner
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: list[StoredBatch] = []
        self._guard = threading.Lock()
        # Created under a name that nobody adopts, and renamed once it is locked.
        hidden = directory / f".{owner}"
        hidden.mkdir(mode=0o700, parents=True)
        lock = _lock(hidden)
        hidden.rename(self._own)
        self._locks: dict[Path, int | None] = {self._own: lock}

    def put(self, payload: bytes, *, number: int, count: int) -> bool:
        """Store a batch; return False if there is no room or the spool is closed.

        Raises:
            OSError: The batch cannot be written.
        """
        with self._guard:
            if not self._locks or self._bytes + len(payload) > self._max_bytes:
                return False
            path = self._own / f"{number:08d}-{count}.batch"
            draft = path.with_suffix(".draft")
            draft.write_bytes(payload)
            draft.rename(path)
            self._bytes += len(payload)
            self._waiting.append(StoredBatch(path, count))
            return True

    def oldest(self) -> StoredBatch | None:
        """Return the batch that has waited longest."""
        with self._guard:
            return self._waiting[0] if self._waiting else None

    def remove(self, batch: StoredBatch) -> None:
        """Delete a settled batch. An adopted folder is deleted with its last batch."""
        with self._guard:
            self._waiting.remove(batch)
            folder = batch.path.parent
            if folder == self._own:
                self._bytes -= batch.path.stat().st_size
            batch.path.unlink()
            if folder != self._own and not any(other.path.parent == folder for other in self._waiting):
                self._discard(folder)

    def adopt(self) -> int:
        """Adopt the folders of dead processes; return the number of logs in them."""
        with self._guard:
            adopted: list[StoredBatch] = []
            for folder in sorted(self._directory.iterdir()):
                if folder.name.startswith(".") or folder in self._locks or not folder.is_dir():
                    continue
                if lock := _lock(folder):
                    self._locks[folder] = lock
                    batches = _batches(folder)
                    adopted += batches
                    if not batches:
                        self._discard(folder)
            self._waiting[:0] = adopted
            return sum(batch.log_count for batch in adopted)

    def count(self) -> int:
        """Return the number of logs on disk that this process has to send."""
        with self._guard:
            return sum(batch.log_count for batch in self._waiting)

    def close(self) -> None:
        """Release every folder; the next process adopts those with batches."""
        with self._guard:
            if not any(self._own.glob(_BATCH)):
                self._discard(self._own)
            self.forget()

    def forget(self) -> None:
        """Close the lock files. A forked child does this; the parent keeps its locks."""
        for lock in self._locks.values():
            if lock is not None:
                os.close(lock)
        self._locks.clear()

    def _discard(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        lock = self._locks.pop(folder, None)
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Return a descriptor that holds the folder's lock, or None if another process holds it."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:  # deleted, or we may not open it
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _batches(folder: Path) -> list[StoredBatch]:
    return [StoredBatch(path, int(path.stem.split("-")[1])) for path in sorted(folder.glob(_BATCH))]
