# cython: language_level=3, wraparound=False, cdivision=True
"""Logs off the bytes of a batch, ready to be stored, and what they add to the rollups.

codec.rows.to_row() is the law of what a row is, and Redactor.redact_log() of what a redacted log is; this makes
the same of bytes that are as usual, in a tenth of the time, and leaves the rest to them.
"""

from cython cimport no_gc
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from codec._copy_row cimport (
    bucket_of, hour_us, moment_us, operation_of, pack_key, pack_row, span_us, write_uuid,
)
from codec._fields cimport Fields, has, read_fields
from codec._wire cimport BYTES, Reader, take, varint

import sys
from datetime import UTC, datetime, timedelta

from llm_observe.v1.log_pb2 import Log

from storage.log_writes import LogId
from codec import rows

cdef enum:
    LOGS = 1  # the field of IngestLogsRequest
    SUMS = 16
    TOKENS = 9  # the first sum of tokens
    GROUP_ROOM = 4096  # bytes of a rollup's names

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SUM_NAMES = (
    "request_count", "success_count", "error_count", "cancelled_count", "priced_count", "latency_count",
    "ttft_count", "latency_us_sum", "ttft_us_sum",
    *(name.replace("_count", "_sum") for name in rows.TOKEN_COUNTS), "cost_nano_usd_sum",
)
_GROUP_NAMES = ("project_id", "provider", "model", "operation", "environment")
_number_of = {field.name: field.number for field in Log.DESCRIPTOR.fields}
cdef int LOG_ID = _number_of["log_id"]
cdef int PROVIDER = _number_of["provider"]
cdef int MODEL = _number_of["model"]
cdef int ENVIRONMENT = _number_of["environment"]
cdef int START = _number_of["start_time"]
cdef int LATENCY = _number_of["latency"]
cdef int TTFT = _number_of["time_to_first_token"]
cdef int OUTCOME = _number_of["outcome"]
cdef int token_counts[SUMS]
cdef int token_count = len(rows.TOKEN_COUNTS)
for _place, _name in enumerate(rows.TOKEN_COUNTS):
    token_counts[<int>_place] = _number_of[_name]


@no_gc
cdef class PackedLog:
    """A log that is ready to be stored; see codec.reader.ArrivedLog. What is seldom asked for is made then."""

    cdef readonly object batch
    cdef readonly bytes packed_row
    cdef readonly bytes packed_key
    cdef object _redactor  # of a log some text of which was redacted
    cdef bytes _within
    cdef Py_ssize_t _begin
    cdef Py_ssize_t _end
    cdef bytes _group
    cdef int16_t _latency_bucket
    cdef int16_t _ttft_bucket
    cdef int64_t _sums[SUMS]
    cdef int64_t _start_us  # since 2000
    cdef uint8_t _id[16]
    cdef object _log_id

    @property
    def log_id(self):
        if self._log_id is None:
            self._log_id = LogId(PyBytes_FromStringAndSize(<char*>self._id, 16))
        return self._log_id

    @property
    def start_time(self):
        return _EPOCH + self._start_us * _MICROSECOND

    @property
    def project_id(self):
        return self.batch.project_id

    @property
    def receive_time(self):
        return self.batch.receive_time

    def message(self):
        """Return the log, redacted."""
        message = Log.FromString(self._within[self._begin : self._end])
        if self._redactor is not None:
            self._redactor.redact_log(message)
        return message

    def to_row(self):
        """Return the row."""
        return rows.to_row(
            self.message(), project_id=self.batch.project_id, receive_time=self.batch.receive_time
        )


cdef bytes _group_of(const Fields* fields, bytes project):
    """Return the key of the rollup that counts the log: hour and names, of which none has a NUL."""
    cdef uint8_t key[GROUP_ROOM]
    cdef int64_t hour = hour_us(fields)
    cdef Py_ssize_t size = sizeof(hour)
    cdef Reader names[5]
    cdef int place
    cdef Py_ssize_t length
    names[0].at = <const uint8_t*>project
    names[0].end = names[0].at + len(project)
    names[1] = fields.texts[PROVIDER]
    names[2] = fields.texts[MODEL]
    names[3] = operation_of(fields)
    names[4] = fields.texts[ENVIRONMENT]
    memcpy(key, &hour, size)
    for place in range(5):
        length = names[place].end - names[place].at
        if size + length + 1 > GROUP_ROOM:
            raise OverflowError
        memcpy(key + size, names[place].at, length)
        key[size + length] = 0
        size += length + 1
    return PyBytes_FromStringAndSize(<char*>key, size - 1)


cdef int _sum_up(const Fields* fields, PackedLog log) noexcept:
    """Note what the log adds to its rollup, in the order of _SUM_NAMES."""
    cdef int place, outcome = <int>fields.numbers[OUTCOME]
    memset(log._sums, 0, sizeof(log._sums))
    log._sums[0] = 1
    if outcome:
        log._sums[outcome] = 1
    log._latency_bucket, log._ttft_bucket = bucket_of(fields, LATENCY), bucket_of(fields, TTFT)
    if log._latency_bucket >= 0:
        log._sums[5], log._sums[7] = 1, span_us(fields, LATENCY)
    if log._ttft_bucket >= 0:
        log._sums[6], log._sums[8] = 1, span_us(fields, TTFT)
    for place in range(token_count):
        if has(fields, token_counts[place]):
            log._sums[TOKENS + place] = fields.numbers[token_counts[place]]
    return 0


cdef class _Batch:
    """What all logs of a batch have in common."""

    cdef object batch
    cdef object redactor
    cdef bytes project
    cdef int64_t received

    def __init__(self, batch, redactor):
        self.batch, self.redactor = batch, redactor
        self.project = batch.project_id.encode()
        self.received = (batch.receive_time - _EPOCH) // _MICROSECOND


cdef PackedLog _read_log(_Batch batch, bytes within, Reader r, bint redacted):
    """Return a log, or None where it is not as usual."""
    cdef Fields fields
    cdef list kept = []
    cdef PackedLog log
    try:
        if not read_fields(r, &fields, None if redacted else batch.redactor, kept):
            return None
        log = PackedLog.__new__(PackedLog)
        log.packed_row = pack_row(&fields, batch.project, batch.received)
        log.packed_key = pack_key(&fields, batch.project, batch.received)
        log._group = _group_of(&fields, batch.project)
    except (OverflowError, UnicodeDecodeError):  # too large, or no text
        return None
    write_uuid(fields.texts[LOG_ID], log._id)
    log._start_us = moment_us(&fields, START)
    log.batch, log._within = batch.batch, within
    log._redactor = batch.redactor if kept else None
    log._begin = r.at - <const uint8_t*>within
    log._end = r.end - <const uint8_t*>within
    _sum_up(&fields, log)
    return log


def other_fields(bytes payload not None):
    """Return the bytes of an IngestLogsRequest but for its logs, or None where it is not as usual."""
    cdef const uint8_t* start = payload
    cdef const uint8_t* begin
    cdef Reader r
    cdef int64_t tag
    cdef list others = []
    r.at, r.end, r.sound = start, start + len(payload), True
    while r.at < r.end:
        begin = r.at
        tag = varint(&r)
        take(&r)
        if not r.sound or tag & 7 != BYTES:
            return None
        if tag >> 3 != LOGS:
            others.append(payload[begin - start : r.at - start])
    return b"".join(others)


def read_logs(bytes payload not None, batch, redactor not None, read_plainly not None):
    """Return the logs of an IngestLogsRequest of which other_fields() returns something.

    Args:
        payload: The request.
        batch: The batch's report; each log gets it.
        redactor: A Redactor.
        read_plainly: Takes a redacted Log and returns it as ArrivedLog; for those that cannot be packed.
    """
    cdef const uint8_t* start = payload
    cdef Reader r, part
    cdef int64_t tag
    cdef PackedLog log
    cdef bytes again
    cdef _Batch common = _Batch(batch, redactor)
    cdef list logs = []
    r.at, r.end, r.sound = start, start + len(payload), True
    while r.at < r.end:
        tag = varint(&r)
        part = take(&r)
        if not r.sound:
            raise ValueError("no IngestLogsRequest")
        if tag >> 3 != LOGS:
            continue
        log = _read_log(common, payload, part, False)
        if log is None:  # as a message writes it, it may be as usual
            message = Log.FromString(payload[part.at - start : part.end - start])
            redactor.redact_log(message)
            message.DiscardUnknownFields()
            again = message.SerializeToString()
            part.at = again
            part.end = part.at + len(again)
            log = _read_log(common, again, part, True)
        logs.append(read_plainly(message) if log is None else log)
    return logs


def add_up(logs not None):
    """Return what new logs add to the rollups: the parameters of storage.log_writes' add_rollups."""
    cdef Py_ssize_t place
    cdef int name
    cdef PackedLog log
    cdef dict places = {}, latencies = {}, ttfts = {}
    cdef int64_t* sums = <int64_t*>calloc(max(1, len(logs)), SUMS * sizeof(int64_t))
    if sums == NULL:
        raise MemoryError
    try:
        for log in logs:
            place = places.setdefault(log._group, len(places))
            for name in range(SUMS):
                sums[place * SUMS + name] += log._sums[name]
            _count(latencies, place, log._latency_bucket)
            _count(ttfts, place, log._ttft_bucket)
        found = _columns_of(places, latencies, ttfts)
        for name in range(SUMS):
            found[_SUM_NAMES[name]] = [sums[place * SUMS + name] for place in range(len(places))]
        return found
    finally:
        free(sums)


cdef inline int _count(dict counts, Py_ssize_t place, int bucket) except -1:
    if bucket >= 0:
        key = place << 16 | bucket
        counts[key] = counts.get(key, 0) + 1
    return 0


cdef dict _columns_of(dict places, dict latencies, dict ttfts):
    names = [group[8:].decode().split("\0") for group in places]
    buckets = sorted(latencies.keys() | ttfts.keys())
    return {
        "hour": [_EPOCH + int.from_bytes(group[:8], sys.byteorder, signed=True) * _MICROSECOND for group in places],
        **dict(zip(_GROUP_NAMES, map(list, zip(*names)))),
        "bucket_places": [(key >> 16) + 1 for key in buckets],
        "buckets": [key & 0xFFFF for key in buckets],
        "bucket_latency_counts": [latencies.get(key, 0) for key in buckets],
        "bucket_ttft_counts": [ttfts.get(key, 0) for key in buckets],
    }
