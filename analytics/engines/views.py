"""How each engine sees the lake's files as the table ``logs`` that reports read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from analytics.lake.schema import SCHEMA

if TYPE_CHECKING:
    from datetime import date


class Logs(NamedTuple):
    """Which logs a view has."""

    lake: str
    """A folder, or a bucket's address as the engine writes it."""
    project_id: str
    start: date
    end: date
    """The day after the last one, in UTC."""


_TRINO_TYPES: Final[dict[pa.DataType, str]] = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP(6)",
    pa.map_(pa.string(), pa.string()): "MAP(VARCHAR, VARCHAR)",
    pa.list_(pa.string()): "ARRAY(VARCHAR)",
}
_TRINO_COLUMNS: Final = ",\n".join(f"  {field.name} {_TRINO_TYPES[field.type]}" for field in SCHEMA)
_TRINO_SELECT: Final = ",\n  ".join([*SCHEMA.names, "project_id", "date"])

_VIEWS: Final = {
    "clickhouse": """\
CREATE OR REPLACE VIEW logs AS
SELECT * FROM file('{lake}/project_id={project_id}/date=*/hour=*/logs.parquet', Parquet)
WHERE date >= DATE '{start}' AND date < DATE '{end}'""",
    "spark": """\
SET TIME ZONE 'UTC';
CREATE OR REPLACE TEMPORARY VIEW logs AS
SELECT * FROM parquet.`{lake}/project_id={project_id}`
WHERE date >= DATE '{start}' AND date < DATE '{end}'""",
    # A folder is hour=09, which is not how Hive writes a BIGINT.
    "trino": """\
SET TIME ZONE 'UTC';
CREATE TABLE hive.default.lake_logs (
{trino_columns},
  project_id VARCHAR,
  date DATE,
  hour VARCHAR
) WITH (
  external_location = '{lake}',
  format = 'PARQUET',
  partitioned_by = ARRAY['project_id', 'date', 'hour']
);
CALL hive.system.sync_partition_metadata('default', 'lake_logs', 'FULL');
CREATE OR REPLACE VIEW hive.default.logs AS
SELECT
  {trino_select},
  CAST(hour AS BIGINT) AS hour
FROM hive.default.lake_logs
WHERE date >= DATE '{start}' AND date < DATE '{end}' AND project_id = '{project_id}'""",
}


def view(engine: str, logs: Logs) -> str:
    """Return the statements that make the table ``logs``, with ; between them."""
    return _VIEWS[engine].format(**logs._asdict(), trino_columns=_TRINO_COLUMNS, trino_select=_TRINO_SELECT)
