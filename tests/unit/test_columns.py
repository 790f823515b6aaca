"""A column of logs is declared once, in LogRow: the proto, the limits, SQL and both packers agree with it."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from llm_observe import limits
from llm_observe.v1.log_pb2 import Log

from codec import rows
from codec.rows import price_of_log, to_log, to_row
from storage.columns import LOG_COLUMNS, Column, Integer, Json, LogRow, SmallInt, columns_of
from storage.copy_format import pack_tuple, unpack_tuple
from tests.support.logs import make_log
from tests.support.prices import BOOK

NAMES = {column.name for column in LOG_COLUMNS}
MADE_FROM_OTHERS = {"project_id", "minute", "latency_bucket", "ttft_bucket"}
"""Columns that are not fields of a Log, but computed."""
NOT_REDACTED = {"log_id", "trace_id", "span_id", "parent_span_id", "price_version"}
"""Texts with a prescribed form, or set by the server."""
NOW = datetime(2026, 11, 25, 10, 30, 0, 1, tzinfo=UTC)


def column_of(field: str) -> str:
    return f"{field}_us" if field in rows.DURATIONS else field


def test_every_field_is_a_column_and_every_column_a_field():
    assert {column_of(field.name) for field in Log.DESCRIPTOR.fields} == NAMES - MADE_FROM_OTHERS


def test_every_text_has_a_limit_and_is_redacted():
    texts = {field.name for field in Log.DESCRIPTOR.fields if field.type == field.TYPE_STRING}
    assert texts - NOT_REDACTED - {"tags"} == set(limits.MAX_TEXT_CHARS)


def log_with(field) -> Log:
    """A log with a value in a field that make_log() leaves empty."""
    log = make_log(log_id=str(uuid.UUID(int=7)))
    if field.name == "metadata":
        log.metadata["key"] = "value"
    elif field.name == "tags":
        log.tags.append("tag")
    elif field.message_type is not None:
        getattr(log, field.name).FromMicroseconds(1_795_600_000_123_456)
    elif field.type != field.TYPE_STRING:
        setattr(log, field.name, 1)
    elif field.name != "log_id":
        setattr(log, field.name, "text")
    return log


@pytest.mark.parametrize("name", sorted(field.name for field in Log.DESCRIPTOR.fields))
def test_every_field_survives_the_round_trip_through_a_row(name):
    log = log_with(Log.DESCRIPTOR.fields_by_name[name])
    again = to_log(to_row(log, project_id="default", receive_time=NOW, prices=BOOK))
    if name in rows.SET_BY_SERVER:
        assert again.receive_time.ToDatetime(UTC) == NOW
        assert (again.cost_nano_usd, again.price_version) == price_of_log(make_log(), BOOK)
    else:
        assert getattr(again, name) == getattr(log, name)


class Example(NamedTuple):
    """A value of each type that a column may have."""

    log_id: uuid.UUID
    time: datetime | None
    bigint: int | None
    integer: Integer | None
    smallint: SmallInt
    flag: bool
    text: str
    json: Json | None


def test_types_follow_from_annotations():
    assert [column.type for column in columns_of(Example)] == [
        "uuid", "timestamptz", "bigint", "integer", "smallint", "boolean", "text", "jsonb",
    ]  # fmt: skip


EXAMPLES = (
    Example(
        log_id=uuid.UUID(int=1), time=NOW, bigint=2**63 - 1, integer=-(2**31), smallint=2**15 - 1, flag=True,
        text="ж", json=json.dumps({"k": "v"}),
    ),
    Example(
        log_id=uuid.UUID(int=2), time=None, bigint=None, integer=None, smallint=0, flag=False, text="",
        json=None,
    ),
)  # fmt: skip


@pytest.mark.parametrize("row", EXAMPLES)
def test_a_packed_row_is_unpacked_unchanged(row):
    columns = columns_of(Example)
    packed = pack_tuple(row, columns)
    assert Example._make(unpack_tuple(packed, columns)) == row
    for size in range(len(packed)):
        with pytest.raises(ValueError, match="a tuple"):
            unpack_tuple(packed[:size], columns)


def test_a_row_has_the_columns_in_order():
    assert LogRow._fields == tuple(column.name for column in LOG_COLUMNS)


@pytest.mark.parametrize(
    "value", [0, 1, 9_999, 10_000, 10_001, 10**8, 2**47, 2**63 - 1, 2**64 * 10**20, -20_000_005]
)
def test_sums_survive_the_round_trip_through_a_tuple(value):
    columns = (Column("sum", "numeric"), Column("packed", "bytea"))
    assert unpack_tuple(pack_tuple((value, b"\0a"), columns), columns) == [value, b"\0a"]
