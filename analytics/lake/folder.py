"""A lake in a folder of this machine, or of one that is mounted."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

from analytics.lake.layout import FILE_NAME
from analytics.lake.store import LakeUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

STAGED: Final = ".*.tmp"
"""Files that are being written: no engine reads what begins with a dot."""
_ABANDONED_S: Final = 3600.0


class FolderStore:
    """See LakeStore. Files are written beside their final name, and renamed."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def staging_folder(self, name: str) -> Path:
        folder = (self.root / name).parent
        with _errors():
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, staged: Path, name: str) -> None:
        target = self.root / name
        with _errors():
            _sync(staged)
            staged.replace(target)
            _sync(target.parent)

    def remove(self, name: str) -> None:
        target = self.root / name
        with _errors(), suppress(FileNotFoundError):
            target.unlink()
            _sync(target.parent)

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        found = {}
        for name in names:
            # A folder that cannot be read is no reason to think that all are.
            with _errors(), suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                status = (self.root / name).stat()
                if S_ISREG(status.st_mode):
                    found[name] = status.st_size
        return found

    def digest(self, name: str) -> str:
        missing = suppress(FileNotFoundError, NotADirectoryError)
        with _errors(), missing, (self.root / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
        return ""

    def open_file(self, name: str) -> BinaryIO | None:
        with _errors(), suppress(FileNotFoundError, NotADirectoryError):
            return (self.root / name).open("rb")
        return None

    def list_files(self) -> list[str]:
        with _errors():
            return [str(path.relative_to(self.root)) for path in self.root.rglob(FILE_NAME)]

    def sweep(self, project: str) -> None:
        before = time.time() - _ABANDONED_S
        for left in (self.root / project).glob(f"**/{STAGED}"):
            with suppress(OSError):  # what stays does no harm
                if left.stat().st_mtime < before:
                    left.unlink()


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LakeUnavailable(f"the lake's folder cannot be used: {error.strerror}") from error
