"""Where files lie in the lake. Names are relative to its root, with / between folders.

Engines find ``date`` and ``hour`` by the Hive layout, and skip what begins with ``_`` or ``.``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

FILE_NAME: Final = "logs.parquet"
"""One file an hour, always of this name: whoever reads all files counts each log once."""


def project_folder(project_id: str) -> str:
    """Return the folder of a project, which no other project's files are in."""
    return f"project_id={project_id}"


def hour_file(project_id: str, hour: datetime) -> str:
    """Return the file of a UTC hour."""
    return f"{project_folder(project_id)}/date={hour:%Y-%m-%d}/hour={hour:%H}/{FILE_NAME}"


def manifest_file(project_id: str, day: datetime) -> str:
    """Return the file that lists the files of a UTC day, with their counts and digests."""
    return f"{project_folder(project_id)}/_manifest/date={day:%Y-%m-%d}.json"
