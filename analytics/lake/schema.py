"""The columns of a Parquet file of the lake: those of logs, in types that every engine reads.

``project_id``, ``date`` and ``hour`` are folders (Hive layout) and no columns of the files. Ids are strings,
since Spark 4.3 refuses Parquet's UUID. Times are UTC microseconds; unknown numbers are null, texts ''.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from storage.columns import LAKE_COLUMNS

_TIME: Final = pa.timestamp("us", tz="UTC")
_BY_NAME: Final = {"metadata": pa.map_(pa.string(), pa.string()), "tags": pa.list_(pa.string())}
_BY_TYPE: Final = {
    "uuid": pa.string(),
    "timestamptz": _TIME,
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int32(),
    "boolean": pa.bool_(),
    "text": pa.string(),
}

SCHEMA: Final = pa.schema(
    pa.field(column.name, _BY_NAME.get(column.name) or _BY_TYPE[column.type]) for column in LAKE_COLUMNS
)
"""Order and types of every file's columns."""
PARTITIONS: Final = ("project_id", "date", "hour")
"""The folders, outermost first: ``project_id=P/date=YYYY-MM-DD/hour=HH/logs.parquet``."""
