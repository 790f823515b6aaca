"""The manifest of a UTC day: its files, with their counts and digests, for people without Postgres."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from analytics.lake.layout import hour_file, manifest_file
from analytics.lake.store import publish_text
from analytics.lake.threads import run_in_thread
from storage.lake import write_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from analytics.lake.store import LakeStore
    from storage.lake import LakeHour
    from storage.pool import Database


async def update_manifest(database: Database, store: LakeStore, project_id: str, day: datetime) -> None:
    """Write the manifest of a day as its files are now.

    Raises:
        LakeUnavailable: It was not written; it will be with the next export.
        StorageUnavailable: Likewise.
    """
    name = manifest_file(project_id, day)

    async def write(hours: Sequence[LakeHour]) -> None:
        await run_in_thread(lambda: _publish(store, name, manifest_of(project_id, day, hours)))

    await write_manifest(database, project_id, day, write)


def manifest_of(project_id: str, day: datetime, hours: Sequence[LakeHour]) -> dict[str, object]:
    """Return what the manifest of a day says."""
    files = [each for each in hours if each.row_count]
    return {
        "project_id": project_id,
        "date": f"{day:%Y-%m-%d}",
        "row_count": sum(each.row_count for each in files),
        "size_bytes": sum(each.size_bytes for each in files),
        "files": [
            {
                "path": hour_file(project_id, each.hour),
                "row_count": each.row_count,
                "size_bytes": each.size_bytes,
                "sha256": each.sha256,
                "export_time": each.export_time.isoformat() if each.export_time else None,
            }
            for each in files
        ],
    }


def _publish(store: LakeStore, name: str, manifest: dict[str, object]) -> None:
    if not manifest["files"]:
        store.remove(name)
        return
    publish_text(store, name, json.dumps(manifest, indent=1) + "\n")
