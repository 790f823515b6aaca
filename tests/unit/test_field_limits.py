"""Absent, smallest, largest, and one beyond: every text and number, in the scan, the readers and the API."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from llm_observe import limits
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import Log

from codec import rules
from codec.batch import AcceptedBatch
from codec.rows import to_log
from storage.columns import LOG_COLUMNS, LogRow
from storage.copy_format import unpack_tuple
from tests.support.logs import make_log
from tests.support.twins import on_both_readers, on_both_scans, read_with

NOW_S = 1_795_600_000.0  # 2026-11-25
START = "2026-11-25T10:00:00Z"


def largest(name: str) -> int:
    if name == "http_status":
        return limits.HTTP_STATUSES[-1]
    is_int32 = Log.DESCRIPTOR.fields_by_name[name].type == FieldDescriptor.TYPE_INT32
    return 2**31 - 1 if is_int32 else 2**63 - 1


NUMBERS = (*rules.COUNTS, "http_status")
TEXTS = tuple(name for name in limits.MAX_TEXT_CHARS if name not in limits.REDACTED_TEXTS)
OPTIONAL_TEXTS = tuple(name for name in TEXTS if name not in {*limits.REQUIRED_TEXTS, "operation"})
RIGHT: list[tuple[str, Any]] = [
    *((name, 0) for name in rules.COUNTS),
    ("http_status", limits.HTTP_STATUSES[0]),
    *((name, largest(name)) for name in NUMBERS),
    *((name, "x" * limits.MAX_TEXT_CHARS[name]) for name in TEXTS),
]
WRONG: list[tuple[str, Any]] = [
    *((name, -1) for name in NUMBERS),
    ("http_status", 600),
    *((name, "x" * (limits.MAX_TEXT_CHARS[name] + 1)) for name in TEXTS),
    *((name, "") for name in limits.REQUIRED_TEXTS),
    *((name, "Upper") for name in limits.LOWER_CASE_TEXTS),
]


def test_every_text_and_number_is_in_the_table():
    numbers = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64}
    assert {field.name for field in Log.DESCRIPTOR.fields if field.type in numbers} == {
        *NUMBERS,
        "cost_nano_usd",
    }
    assert largest("retry_count") == limits.MAX_RETRY_COUNT
    assert largest("input_token_count") == limits.MAX_COUNT


def is_known(log: Log, name: Any) -> bool:  # Any: mypy wants a literal
    return log.HasField(name)


def log_with(name: str, value: Any) -> Log:
    log = make_log(start_time=START)
    setattr(log, name, value)
    return log


def payload_of(log: Log) -> bytes:
    return IngestLogsRequest(logs=[log]).SerializeToString()


def read_back(twin, log: Log) -> Log:
    """Return a log as the API shows it: from its packed row."""
    batch = AcceptedBatch(payload_of(log), "default", 1_795_600_000_000_000, 1, 0)
    (found,) = read_with(twin, batch).logs
    return to_log(LogRow._make(unpack_tuple(found.packed_row, LOG_COLUMNS)))


@on_both_scans
@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_a_value_within_its_limit_passes(twin, name, value):
    assert rules.find_violation(log_with(name, value), NOW_S) is None
    assert twin.scan_logs(payload_of(log_with(name, value)), NOW_S) == (1, b"")


@on_both_scans
@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_beyond_its_limit_is_refused_by_name(twin, name, value):
    assert str(rules.find_violation(log_with(name, value), NOW_S)).startswith(f"{name}: ")
    assert twin.scan_logs(payload_of(log_with(name, value)), NOW_S) is None


@on_both_scans
@pytest.mark.parametrize("varint", [2**31, 2**32, 2**32 + 200, 2**62])
def test_a_number_that_protobuf_would_cut_is_left_to_the_rules(twin, varint):
    """Of an int32, protobuf takes the lower 32 bits: what the scan reads is not what is stored."""
    digits = [varint >> shift & 0x7F | 0x80 for shift in range(0, varint.bit_length(), 7)]
    digits[-1] &= 0x7F
    log = make_log(start_time=START).SerializeToString() + bytes([41 << 3 & 0x7F | 0x80, 41 >> 4, *digits])
    request = IngestLogsRequest(logs=[Log.FromString(log)])
    expected = rules.find_violation(request.logs[0], NOW_S) is None
    framed = b"\x0a" + bytes([len(log) & 0x7F | 0x80, len(log) >> 7]) + log
    scanned = twin.scan_logs(framed, NOW_S)
    assert scanned is None or (expected and twin.__name__ == "codec.scan")


@on_both_readers
@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_a_value_comes_back_as_it_was(twin, name, value):
    again = read_back(twin, log_with(name, value))
    assert getattr(again, name) == value
    assert name in TEXTS or is_known(again, name)


@on_both_readers
def test_what_is_absent_stays_absent(twin):
    log = make_log(start_time=START)
    for count in ("input_token_count", "output_token_count", "total_token_count"):
        log.ClearField(count)
    again = read_back(twin, log)
    assert not any(is_known(again, name) for name in NUMBERS)
    assert not any(getattr(again, name) for name in OPTIONAL_TEXTS)
