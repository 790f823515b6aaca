"""The lake's files as DuckDB sees them: open descriptors under names of their own, read-only."""

from __future__ import annotations

import io
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NoReturn

from fsspec import AbstractFileSystem

from analytics.sandbox.errors import SourceUnavailable

if TYPE_CHECKING:
    from analytics.sandbox.query import HourFile, Source

SCHEME: Final = "lake"


def open_files(source: Source) -> dict[str, int]:
    """Return descriptors by the names under which ``HourFiles`` offers them.

    Raises:
        SourceUnavailable: A file is missing, unreadable, or not in the project's folder.
    """
    folder = f"/project_id={source.project_id}/"
    return {
        f"{SCHEME}://date={file.hour:%Y-%m-%d}/hour={file.hour:%H}/logs.parquet": _open(file, folder)
        for file in source.files
    }


def _open(file: HourFile, folder: str) -> int:
    path = os.path.realpath(file.path)
    if folder not in path:  # a link, which would lead to others' logs
        raise SourceUnavailable(
            f"The file of the hour {file.hour:%Y-%m-%d %H:00} is not in the project's folder."
        )
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no file")  # noqa: TRY301 - explained like what the system refuses
    except OSError as error:
        raise SourceUnavailable(
            f"The file of the hour {file.hour:%Y-%m-%d %H:00} cannot be opened: {error.strerror}."
        ) from None
    return descriptor


class HourFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Those files alone, by exact name: no folder to list, nothing to write."""

    protocol = SCHEME
    cachable = False

    def __init__(self, descriptors: dict[str, int]) -> None:
        super().__init__()
        self._descriptors = descriptors

    def open(self, path: str, mode: str = "rb", **_: object) -> _Reader:
        if mode != "rb":
            _refuse_writing()
        return _Reader(path, self._descriptor(path))

    def glob(self, path: str, **_: object) -> list[str]:
        return [path] if path in self._descriptors else []

    def exists(self, path: str, **_: object) -> bool:
        return path in self._descriptors

    def isfile(self, path: str) -> bool:
        return path in self._descriptors

    def isdir(self, path: str) -> bool:  # noqa: ARG002 - the interface of fsspec
        return False

    def size(self, path: str) -> int:
        return os.fstat(self._descriptor(path)).st_size

    def info(self, path: str, **_: object) -> dict[str, object]:
        return {"name": path, "size": self.size(path), "type": "file"}

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(os.fstat(self._descriptor(path)).st_mtime, tz=UTC)

    def unstrip_protocol(self, name: str) -> str:
        return name if name.startswith(f"{SCHEME}://") else f"{SCHEME}://{name}"

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        _refuse_writing()

    rm = rm_file = mv = mkdir = makedirs = rmdir = touch = cp_file = put_file = pipe_file = _refuse

    def _descriptor(self, path: str) -> int:
        descriptor = self._descriptors.get(path)
        if descriptor is None:
            raise FileNotFoundError(f"there is no {path}")
        return descriptor


def _refuse_writing() -> NoReturn:
    raise PermissionError("the lake is read-only")


class _Reader(io.RawIOBase):
    """Reads one descriptor by position, so that threads do not move each other's."""

    def __init__(self, name: str, descriptor: int) -> None:
        super().__init__()
        self._name = name
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        try:
            data = os.pread(
                self._descriptor, size if size >= 0 else self._size - self._position, self._position
            )
        except OSError as error:
            raise OSError(error.errno, f"cannot read {self._name}") from None
        self._position += len(data)
        return data
