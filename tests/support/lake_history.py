"""Logs in Postgres and in a lake, hour by hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from analytics.lake.exporter import Outcome, export_hour
from analytics.lake.folder import FolderStore
from analytics.windows import DAY, HOUR, Window, floor
from codec.rows import to_row
from storage.columns import LogRow
from storage.lake import list_hours, seal_hours
from storage.pool import Database
from tests.support.logs import make_log
from tests.support.prices import BOOK

LAKE_START = floor(datetime.now(UTC), DAY) - 3 * DAY
"""A UTC day that is over."""
LAKE_WINDOW = Window(LAKE_START, LAKE_START + DAY)


def row_at(hours: float, *, project_id: str = "default", **fields: Any) -> LogRow:
    """Return a row that starts so many hours after LAKE_START; fields are those of LogRow, or of a Log."""
    of_row = {name: fields.pop(name) for name in list(fields) if name in LogRow._fields}
    row = to_row(make_log(**fields), project_id=project_id, receive_time=LAKE_START, prices=BOOK)
    return row._replace(start_time=LAKE_START + timedelta(hours=hours), **of_row)


async def export_hours(database: Database, folder: Path, hours: int = 24) -> None:
    """Seal the first hours after LAKE_START that have logs, and write those that have changed."""
    store, window = FolderStore(str(folder)), {"start": LAKE_START, "end": LAKE_START + hours * HOUR}
    await seal_hours(database, project_id=None, **window)
    for hour in await list_hours(database, project_id=None, only_changed=True, **window):
        assert await export_hour(database, store, hour.key, timeout_s=60) is Outcome.EXPORTED
