"""What holds the files of the lake: a folder, or a bucket."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROBE: Final = "_probe"
"""At the root of the lake; no engine reads what begins with ``_``."""


class LakeUnavailable(Exception):
    """The lake cannot be read or written now. The message names no path and no key."""


class Place(NamedTuple):
    """Where a lake is."""

    bucket: str
    """Empty for a folder."""
    path: str
    """The folder, or the prefix in the bucket without slashes around it."""


def parse_url(url: str) -> Place:
    """Return the place that a setting names: a folder, ``file:///folder`` or ``s3://bucket/prefix``.

    Raises:
        ValueError: It is none of these.
    """
    parts = urlsplit(url)
    if "://" not in url:
        return Place("", str(Path(url).expanduser().absolute()))
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return Place("", parts.path)
    if parts.scheme == "s3" and parts.netloc and "@" not in parts.netloc:
        return Place(parts.netloc, parts.path.strip("/"))
    raise ValueError("must be a folder, or s3://bucket/prefix")


class LakeStore(Protocol):
    """Holds files by name. Each method blocks, and is called in a thread.

    Every method raises LakeUnavailable.
    """

    def staging_folder(self, name: str) -> Path:
        """Return a local folder in which the next content of a file is written; it exists."""

    def publish(self, staged: Path, name: str) -> None:
        """Make a staged file the content of ``name``, at once: readers see all of it or what was before."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Return the sizes in bytes of those files that are there."""

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a file in hexadecimal, read in pieces; empty where it is not there."""

    def open_file(self, name: str) -> BinaryIO | None:
        """Open a file for reading, whose errors are OSErrors; None where it is not there."""

    def list_files(self) -> list[str]:
        """Return the names of all files of logs."""

    def sweep(self, project: str) -> None:
        """Remove what killed processes have left in a project's folder."""


def publish_text(store: LakeStore, name: str, text: str) -> None:
    """Make a text the content of ``name``, as LakeStore.publish does.

    Raises:
        LakeUnavailable: It may not have been written.
    """
    staged = store.staging_folder(name) / f".{uuid.uuid4().hex}.tmp"
    try:
        staged.write_text(text, "utf-8")
        store.publish(staged, name)
    except OSError as error:
        raise LakeUnavailable(f"the file cannot be written: {error.strerror}") from error
    finally:
        staged.unlink(missing_ok=True)


def check_writable(store: LakeStore) -> None:
    """Write a small file and remove it, which tells a lake that is away from a file that cannot be written.

    Raises:
        LakeUnavailable: The lake is away.
    """
    publish_text(store, _PROBE, "\n")
    store.remove(_PROBE)
