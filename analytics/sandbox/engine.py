"""DuckDB for one query: its settings, the view ``logs``, and the answer as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from analytics.lake.schema import SCHEMA
from analytics.sandbox.hour_files import SCHEME, HourFiles
from analytics.sandbox.query import HOUR

if TYPE_CHECKING:
    from datetime import datetime

    from analytics.sandbox.query import Limits, Query, Source

BATCH_ROWS: Final = 2_048
"""DuckDB's own size of a vector; rows of an Arrow batch."""
_LIVE: Final = "live_logs"
_LOCKS: Final = (
    # In this order: nothing can be set after the last one.
    f"SET allowed_directories = ['{SCHEME}://']",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
    "BEGIN TRANSACTION READ ONLY",  # a SELECT may hold INSERT, UPDATE, DELETE and COPY in its WITH
)


def connect(query: Query, descriptors: dict[str, int]) -> duckdb.DuckDBPyConnection:
    """Return an empty database with the view ``logs``, locked.

    Raises:
        duckdb.Error, pa.ArrowException: A file is no Parquet file, or live logs are not as the schema says.
    """
    connection = duckdb.connect(":memory:", config=_settings(query.limits))
    connection.execute("SET TimeZone = 'UTC'")
    connection.register_filesystem(HourFiles(descriptors))
    live = _load_live(connection, query.source)
    connection.execute(_view(query.source, list(descriptors), live=live))
    for statement in _LOCKS:
        connection.execute(statement)
    return connection


def _settings(limits: Limits) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "temp_directory": "",  # first: none, and so none that is allowed
        "memory_limit": f"{limits.memory_bytes}B",
        "threads": limits.threads,
        "max_execution_time": int(limits.time_s * 1000),
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
    }


def _load_live(connection: duckdb.DuckDBPyConnection, source: Source) -> bool:
    """Copy live logs into a table, since scans of Arrow need threads; say whether there are any."""
    if not source.live and source.files:
        return False
    table = pa.ipc.open_stream(source.live).read_all() if source.live else SCHEMA.empty_table()
    connection.register("arrow", table.select(SCHEMA.names).cast(SCHEMA))
    connection.execute(f"CREATE TABLE {_LIVE} AS SELECT * FROM arrow")  # noqa: S608 - a constant
    connection.unregister("arrow")
    return True


def _view(source: Source, names: list[str], *, live: bool) -> str:
    parts = []
    if names:
        parts.append(_select(source, f"date, hour FROM {_parquet(names)}", cut=_is_cut(source)))
    if live:
        utc = "start_time AT TIME ZONE 'UTC'"
        parts.append(
            _select(source, f"CAST({utc} AS DATE), CAST(hour({utc}) AS BIGINT) FROM {_LIVE}", cut=True)
        )
    columns = ", ".join([*SCHEMA.names, "project_id", "date", "hour"])
    return f"CREATE VIEW logs ({columns}) AS {' UNION ALL '.join(parts)}"


def _select(source: Source, rest: str, *, cut: bool) -> str:
    window = f"start_time >= {_literal(source.start)} AND start_time < {_literal(source.end)}"
    columns = ", ".join(SCHEMA.names)
    project = source.project_id.replace("'", "''")
    return f"SELECT {columns}, '{project}', {rest}" + (f" WHERE {window}" if cut else "")


def _parquet(names: list[str]) -> str:
    files = ", ".join(f"'{name}'" for name in names)
    types = "{'date': DATE, 'hour': BIGINT}"
    return f"read_parquet([{files}], hive_partitioning = true, hive_types = {types})"


def _is_cut(source: Source) -> bool:
    """Whether a file may hold logs outside the window. Where none does, no time need be read."""
    return any(file.hour < source.start or file.hour + HOUR > source.end for file in source.files)


def _literal(time: datetime) -> str:
    return f"TIMESTAMPTZ '{time:%Y-%m-%d %H:%M:%S.%f}+00'"
