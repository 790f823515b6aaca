"""Both readers pack the rows and sums of the reference implementation: to_row() of the redacted message."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st
from llm_observe import limits
from llm_observe.redaction import Redactor, Rule
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.log_pb2 import Log

from analytics.sketch import bucket_of
from codec import _reader, packing
from codec.batch import AcceptedBatch
from codec.errors import InvalidLog
from codec.rows import price_of_log, set_price, to_row
from storage.columns import KEY_COLUMNS, LOG_COLUMNS, LogRow
from storage.copy_format import unpack_tuple
from storage.incoming import Sums
from tests.support.logs import make_log
from tests.support.prices import BOOK
from tests.support.properties import examples
from tests.support.twins import on_both_readers, read_with

NOW_US = 1_790_000_000_123_456
LOG_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
PRODUCER_ID = "7ccf7755-1342-4886-8c64-4b96e4c74012"
START = "2026-11-25T10:00:00.000001Z"
SAFE_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=70)


def accepted(*logs: Log, project_id: str = "default") -> AcceptedBatch:
    report = ProducerReport(producer_id=PRODUCER_ID, batch_number=3, dropped_counts={"full": 2})
    request = IngestLogsRequest(logs=logs, producer=report)
    return AcceptedBatch(request.SerializeToString(), project_id, NOW_US, len(logs), 0)


def read(twin, *logs: Log, redactor: Redactor | None = None):
    found = read_with(twin, accepted(*logs), redactor)
    assert not found.invalid
    return found.logs


def redacted_message(log: Log) -> Log:
    redacted = Log.FromString(log.SerializeToString())
    Redactor().redact_log(redacted)
    redacted.DiscardUnknownFields()
    return redacted


def reference(log: Log, batch) -> LogRow:
    row = to_row(
        redacted_message(log), project_id=batch.project_id, receive_time=batch.receive_time, prices=BOOK
    )
    return with_json(row)


def with_json(row: LogRow) -> LogRow:
    """A row for comparison, with parsed JSON, since the order of its keys may differ."""
    return row._replace(metadata=json.loads(row.metadata or "null"), tags=json.loads(row.tags or "null"))


def row_of(log) -> Any:
    return with_json(LogRow._make(unpack_tuple(log.packed_row, LOG_COLUMNS)))


def check(twin, log: Log) -> bool:
    """Compare a log with the reference implementation; return whether it took the fast path."""
    (found,) = read(twin, log)
    expected = reference(log, found.batch)
    assert row_of(found) == expected
    assert unpack_tuple(found.packed_key, KEY_COLUMNS) == [getattr(expected, name) for name, _ in KEY_COLUMNS]
    for name in ("log_id", "project_id", "start_time", "receive_time", "latency_bucket", "ttft_bucket"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.error_code == (expected.error_code if expected.outcome == "error" else None)
    message = redacted_message(log)
    set_price(message, *price_of_log(message, BOOK))
    assert found.message() == message
    check_sums([found])
    return type(found) is twin.PackedLog


def check_sums(logs) -> None:
    """Compare add_up() with its twin in Python; neither promises an order."""
    assert in_order(_reader.add_up(logs)) == in_order(packing.add_up(logs))


def in_order(sums) -> list[Any]:
    """Return what is added to each rollup."""
    return [*sorted(sums.deltas), sums.hours, sums.priced_count]


def fixed_log(**fields) -> Log:
    """The same log each time, so that examples are reproducible."""
    return make_log(**{"log_id": LOG_ID, "start_time": START, **fields})


def full_log(**fields) -> Log:
    """A log with every field."""
    return make_log(**{
        **{name: f"a {name}" for name in limits.MAX_TEXT_CHARS},
        **{name: str(number) for number, name in enumerate(limits.TOKEN_COUNTS)},
        **dict.fromkeys(("span_id", "parent_span_id"), "ab" * 8),
        "trace_id": "0123456789abcdef" * 2,
        "time_to_first_token": "0.001000999s",
        "first_token_time": "2026-11-25T10:00:00.123456789Z",
        "end_time": "2026-11-25T10:00:01Z",
        "reported_cost_nano_usd": "1000", "retry_count": 2, "http_status": 200,
        "usage_source": "USAGE_SOURCE_ESTIMATED", "streamed": True,
        "metadata": {"k": 'a "quoted" \\ text\n\twith \u0001 signs', "ключ": "значение"},
        "tags": ["one", "два"], "input_preview": "Größe \u2013 “quoted”", "output_preview": "line\nline",
        "error_message": "it broke",
        **fields,
    })  # fmt: skip


@pytest.mark.parametrize("fields", [
    {},
    {"outcome": "OUTCOME_ERROR"},
    {"outcome": "OUTCOME_UNSPECIFIED", "usage_source": "USAGE_SOURCE_UNSPECIFIED"},
    {"latency": "0s", "time_to_first_token": "0.000001s"},
    {"start_time": "1970-01-01T00:00:00Z"},
    {"start_time": "1999-12-31T23:59:59.999999Z"},
    {"start_time": "9999-12-31T23:59:59.999999Z"},
    {"input_preview": "write to " + "ann@" + "example.org", "metadata": {"mail": "bob@" + "example.org"}},
    {"output_preview": "x" * 5_000, "tags": ["t" * 64] * 25, "error_message": "y" * 501},
    {"metadata": {f"key{n}": "v" for n in range(70)}},
    {"metadata": {"": "no key"}, "tags": ["", "a tag"]},
    {"session_id": "AF6B4AE6-4D3C-4F3A-9E55-0C4B30D4D1A1"},
    {"user_id": "10.20.30.40"},
    dict.fromkeys(limits.MAX_TEXT_CHARS, LOG_ID),  # longer than some of them may be
    {"input_preview": "a NUL \0 here"},
])  # fmt: skip
@on_both_readers
def test_a_log_is_packed_like_the_reference(twin, fields):
    assert check(twin, full_log(**fields))
    assert check(twin, make_log(**fields))


@pytest.mark.parametrize("fields", [
    {"input_token_count": str(2**63 - 1)},
    {"latency": "315576000000s"},
    {"trace_id": "not hex but ж"},
    {"price_version": "set by the server alone"},
    {"log_id": str(uuid.uuid4()).upper()},
])  # fmt: skip
def test_an_unusual_log_is_packed_in_python(fields):
    assert not check(_reader, full_log(**fields))
    assert check(packing, full_log(**fields))


@on_both_readers
def test_unknown_and_repeated_fields_are_read_as_protobuf_reads_them(twin):
    log = make_log()
    log.MergeFromString(b"\xfa\x3f\x05hello")  # field 1023
    assert check(twin, log)
    twice = log.SerializeToString() + make_log(log_id=log.log_id, model="later").SerializeToString()
    batch = accepted()._replace(payload=IngestLogsRequest().SerializeToString() + framed(twice))
    (found,) = read_with(twin, batch).logs
    assert row_of(found).model == "later"


def framed(log: bytes) -> bytes:
    size = len(log)
    return b"\x0a" + bytes([size & 0x7F | 0x80, size >> 7]) + log


@on_both_readers
def test_sums_of_many_logs_match(twin):
    logs = [
        full_log(
            model=f"m{n % 3}", environment="e" * (n % 2), start_time=f"2026-11-25T{n % 4:02}:59:59.5Z",
            outcome=("OUTCOME_SUCCESS", "OUTCOME_ERROR", "OUTCOME_CANCELLED")[n % 3], latency=f"{n * n}.5s",
            operation="" if n % 5 else "embeddings", time_to_first_token=f"0.{n:03}s",
        )
        for n in range(200)
    ]  # fmt: skip
    packed = [*read(twin, *logs[:100]), *read(twin, *logs[100:])]
    check_sums(packed)
    huge = make_log(input_token_count=str(2**63 - 1), outputTokenCount=str(2**63 - 1))
    check_sums([*packed, *read(twin, huge, make_log())])
    assert twin.add_up([]) == Sums([], frozenset(), 0)


@on_both_readers
@pytest.mark.parametrize("exponent", range(48))
def test_buckets_match_the_sketch(twin, exponent):
    for duration in (2**exponent - 1, 2**exponent, 2**exponent + 1, 3**exponent % 2**47):
        log = make_log()
        log.latency.FromMicroseconds(duration)
        (found,) = read(twin, log)
        assert row_of(found).latency_bucket == found.latency_bucket == bucket_of(duration)


@on_both_readers
def test_custom_redaction_rules_are_applied(twin):
    redactor = Redactor(extra_rules=[Rule("TICKET", (), re.compile(r"T-\d+"))])
    (found,) = read(twin, make_log(input_preview="see T-12"), redactor=redactor)
    assert row_of(found).input_preview == "see [TICKET]"


@on_both_readers
def test_a_report_is_read(twin):
    report = read_with(twin, accepted(make_log())).report
    assert (report.batch_number, report.dropped_totals, report.log_count) == (3, '{"full": 2}', 1)


@on_both_readers
def test_an_invalid_log_does_not_affect_its_neighbours(twin):
    logs = [make_log(), make_log(log_id="no id"), make_log(startTime="0001-01-01T00:00:00Z"), make_log()]
    logs[2].start_time.seconds = -(2**40)
    found = read_with(twin, accepted(*logs))
    assert [str(log.log_id) for log in found.logs] == [logs[0].log_id, logs[3].log_id]
    assert [each.violation.partition(":")[0] for each in found.invalid] == [
        "log_id",
        "a time outside the years 1 to 9999",
    ]


@examples(300)
@given(st.data())
def test_rows_of_random_logs_match_the_reference(data):
    log = fixed_log()
    for field in data.draw(st.lists(st.sampled_from(list(Log.DESCRIPTOR.fields)), max_size=8, unique_by=id)):
        if field.name == "metadata":
            log.metadata.update(data.draw(st.dictionaries(SAFE_TEXT, SAFE_TEXT, max_size=4)))
        elif field.name == "tags":
            log.tags.extend(data.draw(st.lists(SAFE_TEXT, max_size=4)))
        elif field.message_type is not None:
            time_value = getattr(log, field.name)
            time_value.seconds, time_value.nanos = (
                data.draw(st.integers(0, 2**34)),
                data.draw(st.integers(0, 10**9 - 1)),
            )
        elif field.type == field.TYPE_STRING and field.name != "log_id":
            setattr(log, field.name, data.draw(SAFE_TEXT))
        elif field.type == field.TYPE_ENUM:
            setattr(log, field.name, data.draw(st.integers(0, 3)))
        elif field.name != "log_id":
            setattr(
                log,
                field.name,
                data.draw(st.integers(0, 2**31 - 1)) % (2 if field.name == "streamed" else 2**31),
            )
    check(_reader, log)
    check(packing, log)


PAYLOAD = accepted(full_log(log_id=LOG_ID, start_time=START), fixed_log()).payload
LOG_ID_AT = 5
"""Where the first log's id begins in PAYLOAD."""


def mutated(*edits: tuple[int, int, bytes]) -> bytes:
    """Return PAYLOAD with bytes replaced; each edit is (offset, size, replacement)."""
    payload = bytearray(PAYLOAD)
    for at, size, data in edits:
        payload[at : at + size] = data
    return bytes(payload)


edits = st.tuples(st.integers(0, len(PAYLOAD) - 1), st.integers(0, 2), st.binary(max_size=2))


@examples(400)
@given(st.lists(edits, min_size=1, max_size=3).map(lambda drawn: mutated(*drawn)))
# A log_id of NULs before bytes that protobuf refuses: the batch is refused, whatever is read first.
@example(mutated((LOG_ID_AT, 2, b"\0\0"), (541, 2, b"\0\0")))
def test_mutated_bytes_are_read_as_protobuf_reads_them_or_refused(payload):
    batch = accepted()._replace(payload=payload)
    try:
        request = IngestLogsRequest.FromString(batch.payload)
    except DecodeError:
        for twin in (_reader, packing):
            with pytest.raises(DecodeError):
                read_with(twin, batch)
        return
    for twin in (_reader, packing):
        found = read_with(twin, batch)
        expected, invalid = references(request, found.report)
        assert [row_of(log) for log in found.logs] == expected
        assert len(found.invalid) == invalid


def references(request: IngestLogsRequest, report) -> tuple[list[Any], int]:
    """Return the rows of a request, and how many of its logs have none."""
    rows, invalid = [], 0
    for log in request.logs:
        try:
            rows.append(reference(log, report))
        except InvalidLog:
            invalid += 1
    return rows, invalid
