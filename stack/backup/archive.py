"""A backup's folder. It has another name until it is whole, so that a part is never taken for all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMAT: Final = 1
"""Of the folder; raised when an older release could not read it."""
MANIFEST: Final = "manifest.json"
_PREFIX: Final = "llm-observe-"
_NAME: Final = f"{_PREFIX}%Y%m%dT%H%M%SZ"
_PART: Final = ".part"


class BackupError(StackError):
    """A backup cannot be made, read or restored; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """A file of a backup."""

    path: str
    """In the backup's folder, with / between folders."""
    size_bytes: int
    sha256: str
    """Hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedTable:
    """The rows of a table: text of COPY, compressed with zstd."""

    name: str
    columns: list[str]
    row_count: int
    file: ArchivedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedLakeFile:
    """The Parquet file of an hour."""

    project_id: str
    hour: str
    """ISO 8601."""
    file: ArchivedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds."""

    release: str
    """Of the product, that made it."""
    postgres_version: str
    create_time: str
    """ISO 8601: everything is as of this instant, but for the files of the lake."""
    migrations: dict[str, str]
    """The schema: names and digests."""
    days: list[str]
    """UTC days that have partitions."""
    tables: list[ArchivedTable]
    """Each after those that its rows refer to."""
    lake_files: list[ArchivedLakeFile] | None
    """None where the backup was made without the lake."""
    format: int = field(default=FORMAT)

    def files(self) -> list[ArchivedFile]:
        """Return all files but the manifest."""
        return [entry.file for entry in (*self.tables, *(self.lake_files or ()))]

    def row_count(self) -> int:
        """Return how many rows all tables have."""
        return sum(table.row_count for table in self.tables)


class NewArchive:
    """A backup that is being written; see new_archive()."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder = folder
        self.target = target
        """Where it will be."""

    @contextmanager
    def open_table(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Write a file of rows; yields what takes them."""
        path = self._make(table_path(name))
        with writing(), pa.output_stream(str(path), compression="zstd") as stream:
            yield stream.write

    def open_file(self, name: str) -> Path:
        """Return where a file of the backup is to be written."""
        return self._make(name)

    def finish_file(self, name: str) -> ArchivedFile:
        """Have a written file survive a power cut, and return its digest."""
        path = self._folder / name
        with writing(), path.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return ArchivedFile(path=name, size_bytes=path.stat().st_size, sha256=digest)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the last file."""
        with writing(), self._make(MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(asdict(manifest), file, indent=1)
            file.flush()
            os.fsync(file.fileno())

    def _make(self, name: str) -> Path:
        path = self._folder / name
        with writing():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path


def table_path(name: str) -> str:
    """Return the file of a table's rows."""
    return f"tables/{name}.copy.zst"


@contextmanager
def new_archive(folder: Path, now: datetime) -> Iterator[NewArchive]:
    """Make a backup in a folder of backups; it gets its name when the context ends without an error.

    What killed backups have left is removed first.

    Raises:
        BackupError: Another backup is being made there, or the folder cannot be written.
    """
    target = folder / now.astimezone(UTC).strftime(_NAME)
    part = target.with_name(target.name + _PART)
    if target.exists():
        raise BackupError(f"{target} exists already")
    with writing():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / ".lock").open("w")
    with lock:
        _lock(lock.fileno(), folder)
        for left in folder.glob(f"{_PREFIX}*{_PART}"):
            shutil.rmtree(left, ignore_errors=True)
        with writing():
            part.mkdir(mode=0o700)
        try:
            yield NewArchive(part, target)
            _publish(part, target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BackupError(f"another backup is being made in {folder}: wait for its end") from None


def _publish(part: Path, target: Path) -> None:
    with writing():
        for inner in (*(path for path in part.rglob("*") if path.is_dir()), part):
            _sync_folder(inner)
        part.rename(target)
        _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def list_archives(folder: Path) -> list[Path]:
    """Return the whole backups of a folder, oldest first."""
    found = (path for path in folder.glob(f"{_PREFIX}*") if path.suffix != _PART)
    return sorted(path for path in found if (path / MANIFEST).is_file())


def remove_old(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest backups of a folder; return those that are gone."""
    old = list_archives(folder)[:-keep]
    for path in old:
        # Without its manifest it is no backup any more, wherever this is interrupted.
        with writing():
            (path / MANIFEST).unlink()
            shutil.rmtree(path)
    return old


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a backup.

    Raises:
        BackupError: It is no whole backup, or of a format that this release cannot read.
    """
    if folder.name.endswith(_PART):
        raise BackupError(f"{folder} is not whole: its backup was interrupted")
    try:
        content = json.loads((folder / MANIFEST).read_text("utf-8"))
        if content.get("format") != FORMAT:
            raise BackupError(f"{folder} was made by another release: this one reads format {FORMAT} alone")
        return _to_manifest(content)
    except FileNotFoundError:
        raise BackupError(f"{folder} is no backup: it has no {MANIFEST}") from None
    except OSError as error:
        raise BackupError(f"cannot read {folder / MANIFEST}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BackupError(f"{folder / MANIFEST} is damaged") from None


def _to_manifest(content: dict[str, Any]) -> Manifest:
    tables = [ArchivedTable(**{**each, "file": _to_file(each["file"])}) for each in content["tables"]]
    lake = content["lake_files"]
    lake_files = None
    if lake is not None:
        lake_files = [ArchivedLakeFile(**{**each, "file": _to_file(each["file"])}) for each in lake]
    return Manifest(**{**content, "tables": tables, "lake_files": lake_files})


def _to_file(content: dict[str, Any]) -> ArchivedFile:
    file = ArchivedFile(**content)
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(file.path)
    return file


def check_files(folder: Path, manifest: Manifest, on_progress: Callable[[int], None]) -> None:
    """Compare every file with its checksum.

    Raises:
        BackupError: One is missing or damaged.
    """
    for done, entry in enumerate(manifest.files(), 1):
        try:
            with (folder / entry.path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BackupError(f"cannot read {folder / entry.path}: {error.strerror}") from None
        if digest != entry.sha256:
            raise BackupError(f"{folder / entry.path} is damaged: its SHA-256 is not the manifest's")
        on_progress(done)


@contextmanager
def writing() -> Iterator[None]:
    """Say what is wrong when a file cannot be written: the disk is full, say."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BackupError(f"the backup cannot be written: {reason}") from error
