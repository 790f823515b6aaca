"""A log that cannot be decoded is refused alone; a request that is none, as a whole."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport

from server.ingest.request import decode_batch
from tests.support.logs import make_log

_REPORT = ProducerReport(producer_id="7ccf7755-1342-4886-8c64-4b96e4c74012", batch_number=7)
_NOT_UTF8 = b"\x12\x02\xff\xfe"  # session_id
_DAMAGED = {
    "not UTF-8": _NOT_UTF8,
    "not UTF-8 behind a whole log": make_log().SerializeToString() + _NOT_UTF8,
    "truncated": b"\x12\x05ab",
    "no field": b"\x07",
    "a group": b"\x0b",
}


def entry(log: bytes) -> bytes:
    assert len(log) < 1 << 14
    return b"\x0a" + bytes([len(log) & 0x7F | 0x80, len(log) >> 7]) + log


def request(*logs: bytes) -> bytes:
    return b"".join(map(entry, logs)) + IngestLogsRequest(producer=_REPORT).SerializeToString()


@pytest.mark.parametrize("damaged", _DAMAGED.values(), ids=_DAMAGED)
@pytest.mark.parametrize("position", range(3))
def test_one_log_that_cannot_be_decoded_costs_no_other(damaged, position):
    good = [make_log() for _ in range(2)]
    logs = [log.SerializeToString() for log in good]
    logs.insert(position, damaged)
    batch = decode_batch(request(*logs))
    assert batch.log_count == 3
    assert batch.undecodable == {position}
    assert batch.producer == _REPORT
    assert batch.request is not None
    assert [log for index, log in enumerate(batch.request.logs) if index != position] == good


@pytest.mark.parametrize(
    "data",
    [
        request(_NOT_UTF8)[:-1],
        b"\x0a\xff",
        b"\x0a",
        b"\xff" * 12,
        b"\x0a\x7f" + _NOT_UTF8,
        request(_NOT_UTF8) + b"\x13",  # a group
        request(_NOT_UTF8) + b"\x12\x03\x0a\x01\xff",  # the producer
    ],
)
def test_what_is_no_request_is_refused(data):
    with pytest.raises(DecodeError):
        decode_batch(data)


def test_unknown_fields_of_a_request_are_passed_over():
    unknown = b"\x78\x01" + b"\x79" + bytes(8) + b"\x7d" + bytes(4) + b"\x7a\x01x"
    assert decode_batch(unknown + request(_NOT_UTF8)).undecodable == {0}
