"""How each engine sees the lake's files as the table ``logs`` that reports read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from analytics.lake.schema import SCHEMA

if TYPE_CHECKING:
    from datetime import date

_DAYS: Final = "WHERE date >= DATE '{start}' AND date < DATE '{end}'"


class Logs(NamedTuple):
    """Which logs a view has."""

    lake: str
    """A folder, or a bucket's address as the engine writes it."""
    project_id: str
    start: date
    end: date
    """The day after the last one, in UTC."""


CLICKHOUSE: Final = f"""\
CREATE OR REPLACE VIEW logs AS
SELECT * FROM file('{{lake}}/project_id={{project_id}}/date=*/hour=*/logs.parquet', Parquet)
{_DAYS}"""
SPARK: Final = f"""\
CREATE OR REPLACE TEMPORARY VIEW logs AS
SELECT * FROM parquet.`{{lake}}/project_id={{project_id}}`
{_DAYS}"""

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
_SPACE: Final = "\n  "
# The folder is hour=09, which is no BIGINT as Hive writes it.
TRINO: Final = f"""\
CREATE TABLE hive.default.lake_logs (
{_TRINO_COLUMNS},
  project_id VARCHAR,
  date DATE,
  hour VARCHAR
) WITH (
  external_location = '{{lake}}',
  format = 'PARQUET',
  partitioned_by = ARRAY['project_id', 'date', 'hour']
);
CALL hive.system.sync_partition_metadata('default', 'lake_logs', 'FULL');
CREATE OR REPLACE VIEW hive.default.logs AS
SELECT
  {f",{_SPACE}".join([*SCHEMA.names, "project_id", "date"])},
  CAST(hour AS BIGINT) AS hour
FROM hive.default.lake_logs
{_DAYS} AND project_id = '{{project_id}}'"""

VIEWS: Final = {"clickhouse": CLICKHOUSE, "spark": SPARK, "trino": TRINO}


def view(engine: str, logs: Logs) -> str:
    """Return the statement, or statements, that make the table ``logs``."""
    return VIEWS[engine].format_map(logs._asdict())
