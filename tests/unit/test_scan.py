"""Both scans accept only batches that the rules allow."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from llm_observe.limits import MAX_AHEAD_S, MAX_LATENCY_S
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.log_pb2 import Log

from codec import _scan, scan
from codec.rules import COUNTS, OPTIONAL_TEXTS, REQUIRED_TEXTS, SPAN_FIELDS, find_violation
from server.ingest.request import decode_batch
from tests.support.logs import make_log
from tests.support.properties import examples
from tests.support.twins import on_both_scans

NOW_S = 1_795_600_000.0  # 2026-11-25
LATEST = datetime.fromtimestamp(NOW_S + MAX_AHEAD_S, UTC).isoformat().replace("+00:00", "Z")
TEXTS = dict(REQUIRED_TEXTS + OPTIONAL_TEXTS)

ascii_text = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=64)
seconds = st.integers(-2, 2**34)
nanos = st.integers(-2, 10**9 + 1)


def fixed_log(number: int = 0, **fields) -> Log:
    """The same log each time, so that examples are reproducible."""
    log_id = str(uuid.UUID(int=0x01890A5DAC96774BBCCEB302099A8000 + number))
    return make_log(**{"log_id": log_id, "start_time": "2026-11-25T10:00:00.123Z", **fields})


def full_log(number: int = 0) -> Log:
    """A log with every field that a caller may set, each at its limit."""
    return fixed_log(
        number,
        **{name: "x" * limit for name, limit in TEXTS.items()},
        **{name: "a" * digits for name, digits, _ in SPAN_FIELDS},
        **{name: 2**31 - 1 if name == "retry_count" else str(2**63 - 1) for name in COUNTS},
        first_token_time=LATEST,
        end_time=LATEST,
        latency=f"{MAX_LATENCY_S}s",
        time_to_first_token=f"{MAX_LATENCY_S}s",
        http_status=599,
        metadata={f"{number:064}": "v" * 500 for number in range(50)},
        tags=["t" * 64] * 20,
        input_preview="наш текст, 文字 and 🙂",
        output_preview="y" * 5000,
        error_message="broken",
        usage_source="USAGE_SOURCE_ESTIMATED",
        streamed=True,
    )


def batch(*logs: Log) -> bytes:
    report = ProducerReport(producer_id="7ccf7755-1342-4886-8c64-4b96e4c74012", batch_number=7)
    return IngestLogsRequest(logs=logs, producer=report).SerializeToString()


BATCHES = [
    batch(fixed_log(1, metadata={"k": "v"}, tags=["t"]), fixed_log(2)),
    batch(fixed_log(3, **dict.fromkeys(TEXTS, "x")), full_log()),
]


def check(twin, data: bytes) -> bool:
    """Return whether the scan accepts a batch; assert that the rules allow an accepted one."""
    scanned = twin.scan_logs(data, NOW_S)
    if scanned is None:
        return False
    try:
        rest = IngestLogsRequest.FromString(scanned[1])
    except DecodeError:  # decode_batch() refuses such a batch
        return False
    request = IngestLogsRequest.FromString(data)
    ids = {log.log_id.lower() for log in request.logs}
    assert [find_violation(log, NOW_S) for log in request.logs] == [None] * len(request.logs)
    assert len(ids) == len(request.logs) == scanned[0]
    assert rest.producer == request.producer
    return True


@on_both_scans
def test_a_full_batch_within_every_limit_passes(twin):
    assert check(twin, batch(*map(full_log, range(500))))


@pytest.mark.parametrize("field", [field.name for field in Log.DESCRIPTOR.fields])
@on_both_scans
def test_a_value_beyond_its_limit_is_left_to_the_rules(twin, field):
    """Every field has a limit that is tested here, or is listed here as unlimited."""
    log = full_log()
    if field in TEXTS:
        setattr(log, field, "x" * (TEXTS[field] + 1))
    elif field in ("input_preview", "output_preview", "error_message", "streamed"):
        setattr(log, field, type(getattr(log, field))())
        assert check(twin, batch(log))
        return
    elif field in (*COUNTS, "http_status", "outcome", "usage_source"):
        setattr(log, field, -1)
    elif field in ("start_time", "first_token_time", "end_time", "latency", "time_to_first_token"):
        if field == "start_time":
            log.start_time.FromJsonString(LATEST)
            log.ClearField("first_token_time")
            log.ClearField("end_time")
        if field.endswith("_time"):
            getattr(log, field).seconds += 1
        getattr(log, field).nanos += 1
    elif field == "metadata":
        log.metadata["k"] = "v"
    elif field == "tags":
        log.tags.append("t")
    elif field in ("cost_nano_usd", "price_version", "receive_time"):  # set by the server
        log.cost_nano_usd, log.price_version = 1, "v"
        assert check(scan, batch(log))  # no rule is broken: the value is dropped later
        assert not check(_scan, batch(log))
        return
    else:
        setattr(log, field, getattr(log, field) + "0")
    assert not check(twin, batch(log))


@on_both_scans
def test_a_batch_that_repeats_an_id_or_is_too_long_is_left_to_the_rules(twin):
    log = fixed_log()
    assert check(twin, batch(log))
    assert not check(twin, batch(log, fixed_log(1), log))
    assert not check(twin, batch(*map(fixed_log, range(501))))


def test_overlong_varints_are_left_to_the_rules():
    twin = _scan
    log = fixed_log(output_preview="x" * 200).SerializeToString()
    assert check(twin, b"\x0a" + bytes([len(log) & 0x7F | 0x80, len(log) >> 7]) + log)
    assert not check(twin, b"\x0a" + bytes([len(log) & 0x7F | 0x80, len(log) >> 7 | 0x80, 0]) + log)
    assert not check(twin, b"\x8a\x80\x80\x80\x80\x00" + bytes([len(log) & 0x7F | 0x80, len(log) >> 7]) + log)


@examples(200)
@given(st.data())
def test_scans_accept_only_valid_random_logs(data):
    log = fixed_log()
    for field in data.draw(st.lists(st.sampled_from(list(Log.DESCRIPTOR.fields)), max_size=6, unique_by=id)):
        if field.name == "metadata":
            log.metadata.update(data.draw(st.dictionaries(st.text(max_size=66), st.text(max_size=502))))
        elif field.name == "tags":
            log.tags.extend(data.draw(st.lists(st.text(max_size=66), max_size=22)))
        elif field.message_type is not None:
            time_value = getattr(log, field.name)
            time_value.seconds, time_value.nanos = data.draw(seconds), data.draw(nanos)
        elif field.type == field.TYPE_STRING:
            setattr(log, field.name, data.draw(st.text(max_size=202) | ascii_text))
        else:
            setattr(log, field.name, data.draw(st.integers(-1, 700)) % 2**31)
    payload = batch(log)
    is_accepted = check(_scan, payload)
    assert check(scan, payload) == (find_violation(log, NOW_S) is None)
    if find_violation(log, NOW_S) is None and payload.isascii() and not log.HasField("receive_time"):
        assert is_accepted or {"cost_nano_usd", "price_version"} & {
            field.name for field, _ in log.ListFields()
        }


@examples(600)
@given(st.data())
def test_scans_accept_only_valid_mutated_bytes(data):
    payload = bytearray(data.draw(st.sampled_from(BATCHES)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, 700))
        stop = start + data.draw(st.integers(0, 3))
        payload[start:stop] = data.draw(st.binary(max_size=3) | st.just(bytes(payload[:stop])))
    check(_scan, bytes(payload))
    check(scan, bytes(payload))


def test_a_valid_batch_is_not_decoded():
    valid, wrong = batch(make_log(), make_log()), batch(make_log(), make_log(provider="UPPER"))
    assert decode_batch(valid).request is None
    read = decode_batch(wrong)
    assert read.request is not None
    assert (read.log_count, read.payload) == (2, wrong)
