"""The schema of the lake's files: every column has a meaning, and its documentation is fresh."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from analytics.lake.schema import MEANINGS, SCHEMA
from analytics.lake.schema_docs import schema_docs
from storage.columns import LOG_COLUMNS

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_every_column_of_logs_is_in_the_lake_but_what_the_folders_say():
    assert set(SCHEMA.names) == {column.name for column in LOG_COLUMNS} - {"project_id", "minute"}
    assert MEANINGS.keys() == set(SCHEMA.names)


def test_types_are_plain_so_that_every_engine_reads_them():
    plain = {pa.string(), pa.int64(), pa.int32(), pa.bool_(), pa.timestamp("us", tz="UTC")}
    nested = {"metadata": pa.map_(pa.string(), pa.string()), "tags": pa.list_(pa.string())}
    for field in SCHEMA:
        assert field.type in plain or nested[field.name] == field.type


def test_the_documentation_is_fresh():
    assert (DOCS / "parquet-schema.md").read_text("utf-8") == schema_docs(), "run `make docs`"
