"""Converts exports to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe.v1.export_service_pb2 import Export, ExportState

from analytics.windows import Window
from codec.words import words_of
from server.rpc.times import to_time_range, to_timestamp
from storage.exports import KEPT_FOR

if TYPE_CHECKING:
    from storage import exports


def to_export(row: exports.Export) -> Export:
    """Convert an export job."""
    export = Export(
        export_id=str(row.export_id),
        time_range=to_time_range(Window(row.start_time, row.end_time)),
        state=words_of(ExportState).index(row.state),  # type: ignore[arg-type] # an int is an enum value
        row_count=row.row_count,
        files=row.files,
        size_bytes=row.size_bytes,
        error_reason=row.error_reason,
        error_message=row.error_message,
        create_time=to_timestamp(row.create_time),
    )
    if row.verifies_files:
        export.file_check.intact_count = row.intact_count
        export.file_check.lost_count = row.lost_count
        export.file_check.damaged_count = row.damaged_count
    if row.finish_time is not None:
        export.finish_time.CopyFrom(to_timestamp(row.finish_time))
        export.expire_time.CopyFrom(to_timestamp(row.finish_time + KEPT_FOR))
    return export
