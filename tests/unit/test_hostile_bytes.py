"""The reader reads any bytes as protobuf does, or refuses the batch.

Batches consist of pieces of wire format, each valid or broken in some way.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st
from llm_observe.redaction import Redactor
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import Log

from codec.batch import AcceptedBatch, ReadBatch
from codec.errors import InvalidBatch, InvalidLog
from codec.reader import BatchReader
from codec.rows import to_row
from storage.columns import LOG_COLUMNS, LogRow
from storage.copy_format import unpack_tuple
from tests.support.prices import BOOK
from tests.support.properties import examples
from tests.support.twins import on_both_readers, read_with

NOW_US = 1_795_600_000_000_000
UUID_TEXT = "01890a5d-ac96-774b-bcce-b302099a8057"
READER = BatchReader(Redactor(), BOOK)


def varint(number: int, size: int = 0) -> bytes:
    """A varint of at least ``size`` bytes: longer than necessary for a small number."""
    digits: list[int] = []
    while number > 0x7F or len(digits) < size - 1:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def tagged(field: int, wire_type: int, body: bytes) -> bytes:
    return varint(field << 3 | wire_type) + body


def delimited(field: int, data: bytes) -> bytes:
    return tagged(field, 2, varint(len(data)) + data)


numbers = (
    st.sampled_from([0, 1, 2, 3, 4, 199, 200, 599, 10**9 - 1, 10**9, 2**31, 2**47, 2**63 - 1, 2**63,
                     2**64 - 1])
    | st.integers(0, 2**40)
)  # fmt: skip
varints = st.builds(varint, numbers) | st.builds(varint, numbers, st.integers(2, 12))
log_ids = st.sampled_from([
    UUID_TEXT, UUID_TEXT.upper(), "{" + UUID_TEXT + "}", "urn:uuid:" + UUID_TEXT, UUID_TEXT.replace("-", ""),
    "\0" * 36, "", UUID_TEXT[:-1], UUID_TEXT[:-1] + "_", UUID_TEXT[:-1] + "\u0663", "no id",
    "\0\0" + UUID_TEXT[2:],
]).map(str.encode)  # fmt: skip
texts = (
    st.sampled_from([b"", b"text", b"a\0b", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                     b"\xc0\x80"])
    | st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace"))
    | st.just(b"mail " + b"ann@" + b"example.org")
)  # fmt: skip
time_values = st.lists(st.builds(tagged, st.integers(1, 3), st.just(0), varints), max_size=3).map(b"".join)
pairs = st.lists(st.builds(delimited, st.integers(1, 3), texts), max_size=3).map(b"".join)
groups = st.builds(
    lambda field, body, closing: tagged(field, 3, body) + tagged(closing, 4, b""),
    st.integers(1, 60), varints.map(lambda body: tagged(1, 0, body)), st.integers(1, 60),
)  # fmt: skip
LOG_FIELDS = {field.name: field for field in Log.DESCRIPTOR.fields}


def valid_piece(name: str) -> st.SearchStrategy[bytes]:
    """One field of a Log with its own wire type and any value."""
    field = LOG_FIELDS[name]
    if name == "metadata":
        return st.builds(delimited, st.just(field.number), pairs)
    if field.message_type is not None:
        return st.builds(delimited, st.just(field.number), time_values)
    if field.type == field.TYPE_STRING:
        return st.builds(delimited, st.just(field.number), log_ids if name == "log_id" else texts)
    return st.builds(tagged, st.just(field.number), st.just(0), varints)


invalid_pieces = (
    st.builds(tagged, st.integers(0, 70), st.sampled_from([0, 1, 2, 5, 6, 7]), st.binary(max_size=9))
    | st.builds(tagged, st.sampled_from([2**28, 2**29 - 1, 2**29, 2**35]), st.just(0), varints)
    | groups
    | st.binary(max_size=6)
)
pieces = st.one_of(*map(valid_piece, LOG_FIELDS), invalid_pieces)
VALID = (
    delimited(1, UUID_TEXT.encode()) + delimited(2, b"s") + delimited(5, tagged(1, 0, varint(1_795_600_000)))
)
logs = st.builds(
    lambda before, after: b"".join((*before, VALID, *after)),
    st.lists(pieces, max_size=4), st.lists(pieces, max_size=4),
) | st.lists(pieces, max_size=6).map(b"".join)  # fmt: skip
producers = st.lists(
    st.builds(delimited, st.integers(1, 8), log_ids | texts)
    | st.builds(tagged, st.integers(1, 8), st.just(0), varints),
    max_size=4,
).map(b"".join)  # fmt: skip
whole_logs = logs.map(lambda log: delimited(1, log))
cut_logs = st.builds(lambda log, size: delimited(1, log)[:-size], logs, st.integers(1, 9))
payloads = st.lists(
    whole_logs | cut_logs | producers.map(lambda report: delimited(2, report)) | invalid_pieces, max_size=5
).map(b"".join)


def batch_of(payload: bytes, **head: Any) -> AcceptedBatch:
    return AcceptedBatch(payload, "default", NOW_US, 1, 0)._replace(**head)


def read_as_messages(payload: bytes) -> tuple[list[Any], int]:
    """The reference implementation: return the rows, and how many logs have none."""
    report, request = READER.read_request(batch_of(payload))
    rows, invalid = [], 0
    for log in request.logs:
        try:
            row = to_row(log, project_id=report.project_id, receive_time=report.receive_time, prices=BOOK)
            rows.append(comparable(row))
        except InvalidLog:
            invalid += 1
    return rows, invalid


def comparable(row: LogRow) -> Any:
    """A row for comparison, with parsed JSON, since the order of its keys may differ."""
    return row._replace(metadata=json.loads(row.metadata or "null"), tags=json.loads(row.tags or "null"))


def rows_of(found: ReadBatch) -> list[Any]:
    return [comparable(LogRow._make(unpack_tuple(log.packed_row, LOG_COLUMNS))) for log in found.logs]


@on_both_readers
@examples(400)
@given(payload=payloads)
@example(payload=delimited(1, delimited(1, b"\0" * 36)) + b"\x0a\xff")
@example(payload=delimited(1, VALID + tagged(7, 0, varint(2**64 - 1))))  # outcome -1
def test_a_batch_is_read_as_protobuf_reads_it_or_refused(twin, payload):
    try:
        expected, invalid = read_as_messages(payload)
    except DecodeError:
        with pytest.raises(DecodeError):
            read_with(twin, batch_of(payload))
        return
    found = read_with(twin, batch_of(payload))
    assert rows_of(found) == expected
    assert len(found.invalid) == invalid
    assert found.report == READER.read_request(batch_of(payload))[0]
    assert [log.message().log_id.lower() for log in found.logs] == [str(row.log_id) for row in expected]


@on_both_readers
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("log_id", text) for text in ("", "\0" * 36, "{" + UUID_TEXT + "}", UUID_TEXT.replace("-", ""))),
        *((field, number) for field in ("outcome", "usage_source") for number in (-1, 4, 2**31 - 1)),
        *((field, 2**62) for field in ("start_time", "end_time", "first_token_time")),
        *((field, -(2**62)) for field in ("start_time", "latency", "time_to_first_token")),
    ],
)  # fmt: skip
def test_a_value_that_no_row_can_hold_makes_a_log_invalid(twin, field, value):
    log = Log.FromString(VALID)
    if LOG_FIELDS[field].message_type is not None:
        getattr(log, field).seconds = value
    else:
        setattr(log, field, value)
    found = read_with(twin, batch_of(IngestLogsRequest(logs=[log]).SerializeToString()))
    assert (len(found.logs), len(found.invalid)) == (0, 1)


@pytest.mark.parametrize(
    "head",
    [
        {"project_id": ""}, {"project_id": "a\0b"}, {"project_id": None}, {"receive_time_us": 10**30},
        {"receive_time_us": -1}, {"receive_time_us": "1"}, {"log_count": None}, {"rejected_count": 2**64},
        {"traceparents": 1}, {"traceparents": None},
    ],
)  # fmt: skip
@on_both_readers
def test_a_batch_with_an_invalid_head_is_refused(twin, head):
    with pytest.raises(InvalidBatch):
        read_with(twin, batch_of(b"", **head))


@pytest.mark.parametrize("producer", [
    {"producer_id": "no id"}, {"producer_id": "\0" * 36}, {"producer_id": UUID_TEXT, "batch_number": -1},
])  # fmt: skip
@on_both_readers
def test_an_invalid_producer_report_is_ignored(twin, producer):
    """The logs are stored, and the ledger skips the report, which would break it."""
    payload = IngestLogsRequest(logs=[Log.FromString(VALID)], producer=producer).SerializeToString()
    found = read_with(twin, batch_of(payload))
    assert (found.report.producer_id, len(found.logs)) == ("", 1)
