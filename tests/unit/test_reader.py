"""The compiled reader makes the rows and sums that the law makes: to_row() of the redacted message."""

from __future__ import annotations

import json
import re
import struct
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st
from llm_observe.redaction import Redactor, Rule
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.log_pb2 import Log

from analytics.sketch import bucket_of
from codec import reader
from codec._reader import add_up
from codec.batch import AcceptedBatch
from codec.reader import BatchReader, ParsedLog
from codec.rows import to_row
from storage.log_writes import COPY_COLUMNS, KEY_COLUMNS
from storage.logs import LogRow
from tests import packing
from tests.support.logs import make_log
from tests.support.properties import examples

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NOW_US = 1_790_000_000_123_456
LOG_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
PRODUCER_ID = "7ccf7755-1342-4886-8c64-4b96e4c74012"
START = "2026-11-25T10:00:00.000001Z"
NUMBERS = {8: "!q", 4: "!i", 2: "!h", 1: "!?"}
TIMES = {"start_time", "receive_time", "end_time", "first_token_time", "hour"}
TEXTS = {name for name, kind in LogRow.__annotations__.items() if "str" in str(kind)}
SAFE_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=70)


def accepted(*logs: Log, project_id: str = "default") -> AcceptedBatch:
    report = ProducerReport(producer_id=PRODUCER_ID, batch_number=3, dropped_counts={"full": 2})
    request = IngestLogsRequest(logs=logs, producer=report)
    return AcceptedBatch(request.SerializeToString(), project_id, NOW_US, len(logs), 0)


def read(*logs: Log, redactor: Redactor | None = None):
    return BatchReader(redactor or Redactor()).read(accepted(*logs))[1]


def law(log: Log, batch) -> LogRow:
    redacted = Log.FromString(log.SerializeToString())
    Redactor().redact_log(redacted)
    return to_row(redacted, project_id=batch.project_id, receive_time=batch.receive_time)


def unpack(data: bytes, names: tuple[str, ...]) -> dict[str, object]:
    """Read a tuple of COPY's binary format."""
    (count,) = struct.unpack_from("!h", data)
    assert count == len(names)
    at, found = 2, {}
    for name in names:
        (size,) = struct.unpack_from("!i", data, at)
        at += 4
        value = None if size < 0 else data[at : at + size]
        at += max(size, 0)
        found[name] = value if value is None else as_python(name, value)
    assert at == len(data)
    return found


def as_python(name: str, value: bytes):
    if name == "log_id":
        return uuid.UUID(bytes=value)
    if name in ("metadata", "tags"):
        assert value[:1] == b"\1"
        return json.loads(value[1:])
    if name in TEXTS:
        return value.decode()
    number = struct.unpack(NUMBERS[len(value)], value)[0]
    return EPOCH + timedelta(microseconds=number) if name in TIMES else number


def comparable(row: LogRow) -> LogRow:
    """A map's entries have no order, and which comes first differs from message to message."""
    return row._replace(metadata=json.loads(row.metadata) if row.metadata else None)


def check(log: Log) -> bool:
    """Hold a log against the law; tell whether it was packed."""
    (found,) = read(log)
    expected = law(log, found.batch)
    assert comparable(found.to_row()) == comparable(expected)
    assert (found.log_id, found.project_id) == (expected.log_id, expected.project_id)
    assert (found.start_time, found.receive_time) == (expected.start_time, expected.receive_time)
    assert found.message() == redacted_message(log)
    if found.packed_row is None:
        return False
    row = expected._asdict()
    row["metadata"], row["tags"] = (json.loads(row[name] or "null") for name in ("metadata", "tags"))
    row["hour"] = expected.start_time.replace(minute=0, second=0, microsecond=0)
    assert unpack(found.packed_row, COPY_COLUMNS) == row
    assert unpack(found.packed_key, KEY_COLUMNS) == {name: row[name] for name in KEY_COLUMNS}
    check_sums([found])
    return True


def redacted_message(log: Log) -> Log:
    redacted = Log.FromString(log.SerializeToString())
    Redactor().redact_log(redacted)
    redacted.DiscardUnknownFields()
    return redacted


def check_sums(logs) -> None:
    """Hold add_up() against the same in plain Python; neither promises an order."""
    found, expected = (in_order(sums) for sums in (add_up(logs), packing.add_up(logs)))
    assert found == expected


def in_order(sums) -> tuple[list[Any], list[Any]]:
    """Return what is added to each rollup and to each of its buckets."""
    buckets = [name for name in sums if name.startswith("bucket")]
    rollups = [name for name in sorted(sums) if name not in buckets]
    groups = list(zip(*(sums[name] for name in rollups), strict=True))
    counts = zip(*(sums[name] for name in buckets[1:]), strict=True)
    places = sums["bucket_places"]
    return sorted(groups), sorted(
        (groups[place - 1], *rest) for place, rest in zip(places, counts, strict=True)
    )


def fixed_log(**fields) -> Log:
    """The same log each time, so that examples can be repeated."""
    return make_log(**{"log_id": LOG_ID, "start_time": START, **fields})


def full_log(**fields) -> Log:
    """A log with every field."""
    texts = ("operation", "response_model", "conversation_id", "user_id", "error_code", "finish_reason",
             "provider_request_id", "environment", "release")  # fmt: skip
    return make_log(**{
        **{name: f"a {name}" for name in texts},
        **dict.fromkeys(("span_id", "parent_span_id"), "ab" * 8),
        "trace_id": "0123456789abcdef" * 2,
        "time_to_first_token": "0.001000999s",
        "first_token_time": "2026-11-25T10:00:00.123456789Z",
        "end_time": "2026-11-25T10:00:01Z",
        "cache_read_token_count": "1", "cache_write_token_count": "2", "reasoning_token_count": "3",
        "http_status": 200, "usage_source": "USAGE_SOURCE_ESTIMATED", "streamed": True,
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
    {"input_preview": "a NUL \0 here"},
])  # fmt: skip
def test_a_log_is_packed_as_the_law_has_it(fields):
    assert check(full_log(**fields))
    assert check(make_log(**fields))


@pytest.mark.parametrize("fields", [
    {"input_token_count": str(2**63 - 1)},
    {"latency": "315576000000s"},
    {"trace_id": "not hex but ж"},
    {"price_version": "set by the server alone"},
    {"log_id": str(uuid.uuid4()).upper()},
])  # fmt: skip
def test_an_unusual_log_is_left_to_the_law(fields):
    assert not check(full_log(**fields))


def test_fields_that_are_unknown_or_come_twice_are_read_as_messages_read_them():
    log = make_log()
    log.MergeFromString(b"\xfa\x3f\x05hello")  # field 1023
    assert check(log)
    twice = log.SerializeToString() + make_log(log_id=log.log_id, model="later").SerializeToString()
    batch = accepted()._replace(payload=IngestLogsRequest().SerializeToString() + framed(twice))
    _, (found,) = BatchReader(Redactor()).read(batch)
    assert found.to_row().model == "later"
    assert found.packed_row is not None
    assert unpack(found.packed_row, COPY_COLUMNS)["model"] == "later"


def framed(log: bytes) -> bytes:
    size = len(log)
    return b"\x0a" + bytes([size & 0x7F | 0x80, size >> 7]) + log


def test_sums_of_many_logs():
    logs = [
        full_log(
            model=f"m{n % 3}", environment="e" * (n % 2), start_time=f"2026-11-25T{n % 4:02}:59:59.5Z",
            outcome=("OUTCOME_SUCCESS", "OUTCOME_ERROR", "OUTCOME_CANCELLED")[n % 3], latency=f"{n * n}.5s",
            operation="" if n % 5 else "embeddings", time_to_first_token=f"0.{n:03}s",
        )
        for n in range(200)
    ]  # fmt: skip
    check_sums([*read(*logs[:100]), *read(*logs[100:])])
    assert add_up([])["hour"] == []


@pytest.mark.parametrize("exponent", range(48))
def test_buckets_are_the_sketch_s(exponent):
    for span in (2**exponent - 1, 2**exponent, 2**exponent + 1, 3**exponent % 2**47):
        log = make_log()
        log.latency.FromMicroseconds(span)
        (found,) = read(log)
        if found.packed_row is not None:
            assert unpack(found.packed_row, COPY_COLUMNS)["latency_bucket"] == bucket_of(span)
        else:
            assert span >= 2**46


def test_rules_of_ones_own_are_applied_to_every_text():
    redactor = Redactor(extra_rules=[Rule("TICKET", (), re.compile(r"T-\d+"))])
    (found,) = read(make_log(input_preview="see T-12"), redactor=redactor)
    assert unpack(found.packed_row, COPY_COLUMNS)["input_preview"] == "see [TICKET]"


def test_without_the_compiled_module_all_are_left_to_the_law(monkeypatch):
    for name in ("read_logs", "other_fields"):
        monkeypatch.setattr(reader, name, None)
    report, logs = BatchReader(Redactor()).read(accepted(full_log(), make_log()))
    assert [type(log) for log in logs] == [ParsedLog, ParsedLog]
    assert (report.batch_number, report.dropped_totals) == (3, '{"full": 2}')


@examples(300)
@given(st.data())
def test_whatever_the_values_the_row_is_the_law_s(data):
    log = fixed_log()
    for field in data.draw(st.lists(st.sampled_from(list(Log.DESCRIPTOR.fields)), max_size=8, unique_by=id)):
        if field.name == "metadata":
            log.metadata.update(data.draw(st.dictionaries(SAFE_TEXT, SAFE_TEXT, max_size=4)))
        elif field.name == "tags":
            log.tags.extend(data.draw(st.lists(SAFE_TEXT, max_size=4)))
        elif field.message_type is not None:
            moment = getattr(log, field.name)
            moment.seconds, moment.nanos = (
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
    check(log)


BATCH = BatchReader(Redactor()).read(accepted())[0]
PAYLOAD = accepted(full_log(log_id=LOG_ID, start_time=START), fixed_log()).payload
LOG_ID_AT = 5
"""Where the first log's id begins in PAYLOAD."""


def mutated(*edits: tuple[int, int, bytes]) -> bytes:
    """Return PAYLOAD with bytes replaced: (where, how many, by what)."""
    payload = bytearray(PAYLOAD)
    for at, size, data in edits:
        payload[at : at + size] = data
    return bytes(payload)


edits = st.tuples(st.integers(0, len(PAYLOAD) - 1), st.integers(0, 2), st.binary(max_size=2))


@examples(400)
@given(st.lists(edits, min_size=1, max_size=3).map(lambda found: mutated(*found)))
# A log_id of NULs, and further on what protobuf refuses: the batch is refused, whichever is met first.
@example(mutated((LOG_ID_AT, 2, b"\0\0"), (541, 2, b"\0\0")))
def test_whatever_the_bytes_it_reads_what_messages_read_or_refuses(payload):
    batch = accepted()._replace(payload=payload)
    try:
        expected = [law(log, BATCH) for log in IngestLogsRequest.FromString(batch.payload).logs]
    except DecodeError:
        with pytest.raises(DecodeError):
            BatchReader(Redactor()).read(batch)
        return
    _, logs = BatchReader(Redactor()).read(batch)
    assert [comparable(log.to_row()) for log in logs] == [comparable(row) for row in expected]
    for log, row in zip(logs, expected, strict=True):
        if log.packed_row is not None:
            found = unpack(log.packed_row, COPY_COLUMNS)
            assert {name: found[name] for name in TEXTS - {"metadata", "tags"}} == {
                name: getattr(row, name) for name in TEXTS - {"metadata", "tags"}
            }
