"""Batches on disk: what a process could not send before it died, the next one sends.

``SPOOL_DIR/PRODUCER_ID/`` belongs to one process, which holds a lock (flock) on its file ``lock`` as long as
it lives. A batch is ``NUMBER-COUNT.batch``, a serialised IngestLogsRequest, already redacted, written beside
and renamed, so that it is whole or absent. It survives the process; it is not synced to survive a power cut.
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
    """Logs in it; the file's name tells, so that one that cannot be read can still be counted."""


class Spool:
    """This process's folder, and those of dead processes that it has taken over.

    Args:
        directory: The spool, shared by processes.
        owner: Name of this process's folder, unique for ever.
        max_bytes: What this process may have in its own folder.

    Raises:
        OSError: The folder cannot be made.
    """

    def __init__(self, directory: Path, owner: str, max_bytes: int) -> None:
        self._directory = directory
        self._own = directory / owner
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: list[StoredBatch] = []
        self._guard = threading.Lock()
        # Made under a name that nobody adopts, and only renamed once it is locked.
        hidden = directory / f".{owner}"
        hidden.mkdir(mode=0o700, parents=True)
        lock = _lock(hidden)
        hidden.rename(self._own)
        self._locks: dict[Path, int | None] = {self._own: lock}

    def put(self, payload: bytes, *, number: int, count: int) -> bool:
        """Keep a batch; False when there is no room, or the spool is closed.

        Raises:
            OSError: The disk did not take it.
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
        """Forget a batch that was settled; a dead process's folder goes with its last batch."""
        with self._guard:
            self._waiting.remove(batch)
            folder = batch.path.parent
            if folder == self._own:
                self._bytes -= batch.path.stat().st_size
            batch.path.unlink()
            if folder != self._own and not any(other.path.parent == folder for other in self._waiting):
                self._discard(folder)

    def adopt(self) -> int:
        """Take over what dead processes left; returns the number of logs found."""
        with self._guard:
            found: list[StoredBatch] = []
            for folder in sorted(self._directory.iterdir()):
                if folder.name.startswith(".") or folder in self._locks or not folder.is_dir():
                    continue
                if lock := _lock(folder):
                    self._locks[folder] = lock
                    batches = _batches(folder)
                    found += batches
                    if not batches:
                        self._discard(folder)
            self._waiting[:0] = found
            return sum(batch.log_count for batch in found)

    def count(self) -> int:
        """Return the number of logs on disk that are this process's to send."""
        with self._guard:
            return sum(batch.log_count for batch in self._waiting)

    def close(self) -> None:
        """Let go of every folder; those with batches wait for the next process."""
        with self._guard:
            if not any(self._own.glob(_BATCH)):
                self._discard(self._own)
            self.forget()

    def forget(self) -> None:
        """Close the lock files. In a forked child, that leaves the parent its locks."""
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
    """Return a descriptor that holds the folder's lock, or None while another process does."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:  # gone, or not ours to open
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _batches(folder: Path) -> list[StoredBatch]:
    return [StoredBatch(path, int(path.stem.split("-")[1])) for path in sorted(folder.glob(_BATCH))]
