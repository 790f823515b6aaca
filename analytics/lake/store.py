"""What holds the files of the lake: a folder, or a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable


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

    def sweep(self, project: str) -> None:
        """Remove what killed processes have left in a project's folder."""
