# cython: language_level=3, wraparound=False, cdivision=True
"""Logs off the bytes of a batch, ready to be stored, and what they add to the rollups.

codec.packing is the reference implementation, with the same interface; this takes a tenth of the time for the
common case, and leaves other logs to it.
"""

from cython cimport no_gc
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free, qsort
from libc.string cimport memcpy, memset

from codec._copy_row cimport (
    RowWriter, bucket_of, duration_us, minute_us, operation_of, pack_delta, pack_key, pack_row, timestamp_us, write_uuid,
)
from codec._fields cimport MAX_BIGINT, Fields, has, read_fields, text_of
from codec._prices cimport Price, PriceTable, find_price
from codec._wire cimport BYTES, VARINT, Reader, reader_of, take, varint

import sys
from datetime import UTC, datetime, timedelta

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import Log

from analytics.extensions import pack_buckets
from analytics.packed_counts import pack_texts
from codec import packing
from codec.batch import ReadBatch
from codec.rows import set_price
from storage.columns import ROLLUP_KEY, ROLLUP_SUMS, TOKEN_COUNTS
from storage.copy_format import LogId
from storage.incoming import Sums

cdef enum:
    LOGS = 1  # the field of IngestLogsRequest
    ERROR = 2  # the outcome
    MAX_SUMS = 32
    GROUP_BYTES = 4096  # room for a rollup's names
    BUCKET_BITS = 16
    BUCKET_MASK = (1 << 16) - 1

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KEY_NAMES = tuple(column.name for column in ROLLUP_KEY)
if _KEY_NAMES != ("project_id", "minute", "provider", "model", "operation", "environment"):
    raise ImportError("_group_of() makes another key")
_SUM_NAMES = tuple(each.name for each in ROLLUP_SUMS)
_number_of = {field.name: field.number for field in Log.DESCRIPTOR.fields}
cdef int LOG_ID = _number_of["log_id"]
cdef int PROVIDER = _number_of["provider"]
cdef int MODEL = _number_of["model"]
cdef int ENVIRONMENT = _number_of["environment"]
cdef int START = _number_of["start_time"]
cdef int LATENCY = _number_of["latency"]
cdef int TTFT = _number_of["time_to_first_token"]
cdef int OUTCOME = _number_of["outcome"]
cdef int ERROR_CODE = _number_of["error_code"]
# Where each sum stands among ROLLUP_SUMS.
cdef int sum_count = len(_SUM_NAMES)
cdef int REQUESTS = _SUM_NAMES.index("request_count")
cdef int LATENCIES = _SUM_NAMES.index("latency_count")
cdef int TTFTS = _SUM_NAMES.index("ttft_count")
cdef int LATENCY_SUM = _SUM_NAMES.index("latency_us_sum")
cdef int TTFT_SUM = _SUM_NAMES.index("ttft_us_sum")
cdef int PRICED = _SUM_NAMES.index("priced_count")
cdef int COST_SUM = _SUM_NAMES.index("cost_nano_usd_sum")
cdef int outcome_sums[4]  # by number of Outcome; 0 counts for none
for _place, _word in enumerate(("success", "error", "cancelled"), 1):
    outcome_sums[<int>_place] = _SUM_NAMES.index(f"{_word}_count")
cdef int token_count = len(TOKEN_COUNTS)
cdef int token_fields[MAX_SUMS]
cdef int token_sums[MAX_SUMS]
for _place, _name in enumerate(TOKEN_COUNTS):
    token_fields[<int>_place] = _number_of[_name]
    token_sums[<int>_place] = _SUM_NAMES.index(_name.replace("_count", "_sum"))
cdef int64_t HOUR_US = 3_600_000_000
if sum_count > MAX_SUMS:
    raise ImportError("more sums than there is room for")
_summed = {"request_count", "success_count", "error_count", "cancelled_count", "latency_count", "ttft_count",
           "latency_us_sum", "ttft_us_sum", "priced_count", "cost_nano_usd_sum",
           *(name.replace("_count", "_sum") for name in TOKEN_COUNTS)}
if set(_SUM_NAMES) != _summed:
    raise ImportError("_sum_up() does not know one of the sums")


@no_gc
cdef class PackedLog:
    """A log that is ready to be stored; see codec.batch.ArrivedLog. What is seldom asked for is made then."""

    cdef readonly object batch
    cdef readonly bytes packed_row
    cdef readonly bytes packed_key
    cdef object _redactor  # of a log some text of which was redacted
    cdef bytes _within
    cdef Py_ssize_t _begin
    cdef Py_ssize_t _end
    cdef bytes _group
    cdef bytes _price_version
    cdef readonly str error_code
    cdef int16_t _latency_bucket
    cdef int16_t _ttft_bucket
    cdef int64_t _sums[MAX_SUMS]
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
        return _time_of(self._start_us)

    @property
    def project_id(self):
        return self.batch.project_id

    @property
    def receive_time(self):
        return self.batch.receive_time

    @property
    def rollup_key(self):
        return _key_of(self._group)

    @property
    def rollup_sums(self):
        return [self._sums[place] for place in range(sum_count)]

    @property
    def latency_bucket(self):
        return None if self._latency_bucket < 0 else self._latency_bucket

    @property
    def ttft_bucket(self):
        return None if self._ttft_bucket < 0 else self._ttft_bucket

    def message(self):
        """Return the log, redacted and priced."""
        message = Log.FromString(self._within[self._begin : self._end])
        if self._redactor is not None:
            self._redactor.redact_log(message)
        set_price(message, self._sums[COST_SUM] if self._sums[PRICED] else None, self._price_version.decode())
        return message


cdef object _time_of(int64_t microseconds):
    return _EPOCH + microseconds * _MICROSECOND


cdef bytes _group_of(const Fields* fields, bytes project):
    """Return the key of the rollup that counts the log: minute and names, of which none has a NUL."""
    cdef uint8_t key[GROUP_BYTES]
    cdef int64_t minute = minute_us(fields)
    cdef Py_ssize_t size = sizeof(minute)
    cdef Reader names[5]
    cdef int place
    cdef Py_ssize_t length
    names[0] = reader_of(<const uint8_t*><const char*>project, len(project))
    names[1] = fields.texts[PROVIDER]
    names[2] = fields.texts[MODEL]
    names[3] = operation_of(fields)
    names[4] = fields.texts[ENVIRONMENT]
    memcpy(key, &minute, size)
    for place in range(5):
        length = names[place].end - names[place].at
        if size + length + 1 > GROUP_BYTES:
            raise OverflowError
        memcpy(key + size, names[place].at, length)
        key[size + length] = 0
        size += length + 1
    return PyBytes_FromStringAndSize(<char*>key, size - 1)


cdef tuple _key_of(bytes group):
    """Return the values of ROLLUP_KEY."""
    project, *names = group[8:].decode().split("\0")
    return project, _time_of(int.from_bytes(group[:8], sys.byteorder, signed=True)), *names


cdef int _sum_up(const Fields* fields, const Price* price, PackedLog log) noexcept:
    """Note what the log adds to its rollup."""
    cdef int place, outcome = <int>fields.numbers[OUTCOME]
    memset(log._sums, 0, sizeof(log._sums))
    log._sums[REQUESTS] = 1
    if outcome:
        log._sums[outcome_sums[outcome]] = 1
    log._latency_bucket, log._ttft_bucket = bucket_of(fields, LATENCY), bucket_of(fields, TTFT)
    if log._latency_bucket >= 0:
        log._sums[LATENCIES], log._sums[LATENCY_SUM] = 1, duration_us(fields, LATENCY)
    if log._ttft_bucket >= 0:
        log._sums[TTFTS], log._sums[TTFT_SUM] = 1, duration_us(fields, TTFT)
    for place in range(token_count):
        if has(fields, token_fields[place]):
            log._sums[token_sums[place]] = fields.numbers[token_fields[place]]
    if price.cost >= 0:
        log._sums[PRICED], log._sums[COST_SUM] = 1, price.cost
    return 0


cdef class _Batch:
    """What the logs of a batch have in common."""

    cdef object report
    cdef object redactor
    cdef PriceTable prices
    cdef bytes project
    cdef int64_t received
    cdef RowWriter writer

    def __init__(self, report, redactor, PriceTable prices):
        self.report, self.redactor, self.prices = report, redactor, prices
        self.project = report.project_id.encode()
        self.received = (report.receive_time - _EPOCH) // _MICROSECOND
        self.writer = RowWriter()


cdef PackedLog _read_log(_Batch batch, bytes within, Reader r, bint redacted):
    """Return a log, or None where it is not the common case."""
    cdef Fields fields
    cdef Price price
    cdef list kept = []
    cdef PackedLog log
    try:
        if not read_fields(r, &fields, None if redacted else batch.redactor, kept):
            return None
        find_price(batch.prices, &fields, &price)
        if price.cost >= MAX_BIGINT:
            return None
        log = PackedLog.__new__(PackedLog)
        log.packed_row = pack_row(batch.writer, &fields, &price, batch.project, batch.received)
        log.packed_key = pack_key(batch.writer, &fields, batch.project, batch.received)
        log._group = _group_of(&fields, batch.project)
        if fields.numbers[OUTCOME] == ERROR:
            log.error_code = text_of(fields.texts[ERROR_CODE])
    except (OverflowError, UnicodeDecodeError):  # names that are too long, or no text
        return None
    write_uuid(fields.texts[LOG_ID], log._id)
    log._start_us = timestamp_us(&fields, START)
    log.batch, log._within, log._price_version = batch.report, within, <bytes>price.version
    log._redactor = batch.redactor if kept else None
    log._begin = r.at - <const uint8_t*>within
    log._end = r.end - <const uint8_t*>within
    _sum_up(&fields, &price, log)
    return log


cdef object _read_message(_Batch batch, bytes data, list invalid):
    """Return a log by way of its message, or None where it is invalid."""
    cdef PackedLog log
    cdef bytes rewritten
    message = Log.FromString(data)
    batch.redactor.redact_log(message)
    message.DiscardUnknownFields()
    rewritten = message.SerializeToString()  # in the form in which protobuf writes it, it may be common
    log = _read_log(batch, rewritten, reader_of(rewritten, len(rewritten)), True)
    return packing.pack(message, batch.report, batch.prices.book, invalid) if log is None else log


cdef bytes _other_fields(bytes payload):
    """Return the bytes of an IngestLogsRequest but for its logs, or None where it is unusual."""
    cdef const uint8_t* start = payload
    cdef const uint8_t* begin
    cdef Reader r = reader_of(start, len(payload))
    cdef int64_t tag
    cdef list others = []
    while r.at < r.end:
        begin = r.at
        tag = varint(&r)
        if tag & 7 == VARINT and tag >> 3 != LOGS:
            varint(&r)
        elif tag & 7 == BYTES:
            take(&r)
        else:
            return None
        if not r.sound:
            return None
        if tag >> 3 != LOGS:
            others.append(payload[begin - start : r.at - start])
    return b"".join(others)


cdef list _read_logs(_Batch batch, bytes payload, list invalid):
    """Return the logs of a request of which _other_fields() returns something."""
    cdef const uint8_t* start = payload
    cdef Reader r = reader_of(start, len(payload)), part
    cdef int64_t tag
    cdef list logs = []
    while r.at < r.end:
        tag = varint(&r)
        if tag & 7 == VARINT:
            varint(&r)
            continue
        part = take(&r)
        if tag >> 3 != LOGS:
            continue
        log = _read_log(batch, payload, part, False)
        if log is None:
            log = _read_message(batch, payload[part.at - start : part.end - start], invalid)
        if log is not None:
            logs.append(log)
    return logs


cdef PriceTable _last_table = None


cdef PriceTable _table_of(prices):
    """Return the table of a book: that of the last one is kept, and a process has one book."""
    global _last_table
    if _last_table is None or _last_table.book is not prices:
        _last_table = PriceTable(prices)
    return _last_table


def read_batch(bytes payload not None, redactor not None, prices not None, report_of not None):
    """See codec.packing.read_batch()."""
    cdef bytes others = _other_fields(payload)
    cdef list invalid = []
    if others is None:  # in the form in which protobuf writes it, it is usual
        request = IngestLogsRequest.FromString(payload)
        request.DiscardUnknownFields()
        payload = request.SerializeToString()
        others = _other_fields(payload)
    report = report_of(IngestLogsRequest.FromString(others).producer)
    batch = _Batch(report, redactor, _table_of(prices))
    return ReadBatch(report, _read_logs(batch, payload, invalid), invalid)


def add_up(logs not None):
    """See codec.packing.add_up(), which sums groups with a log that only it could pack."""
    cdef Py_ssize_t place, count = len(logs), latency_count = 0, ttft_count = 0
    cdef int each
    cdef int64_t priced = 0
    cdef PackedLog log
    cdef dict places = {}, errors = {}
    cdef list deltas = []
    cdef RowWriter writer = RowWriter()
    cdef int64_t* sums
    cdef int64_t* latencies
    cdef int64_t* ttfts
    for found in logs:
        if type(found) is not PackedLog:
            return packing.add_up(logs)
    # Of each log its sums, and its buckets behind the place of its group.
    sums = <int64_t*>calloc(max(1, count * (sum_count + 2)), sizeof(int64_t))
    if sums == NULL:
        raise MemoryError
    latencies, ttfts = sums + count * sum_count, sums + count * (sum_count + 1)
    try:
        for log in logs:
            place = places.setdefault(log._group, len(places))
            for each in range(sum_count):
                sums[place * sum_count + each] += log._sums[each]
            priced += log._sums[PRICED]
            if log._latency_bucket >= 0:
                latencies[latency_count] = place << BUCKET_BITS | log._latency_bucket
                latency_count += 1
            if log._ttft_bucket >= 0:
                ttfts[ttft_count] = place << BUCKET_BITS | log._ttft_bucket
                ttft_count += 1
            if log.error_code is not None:
                codes = errors.setdefault(place, {})
                codes[log.error_code] = codes.get(log.error_code, 0) + 1
        latency_sketches = _pack_groups(latencies, latency_count, len(places))
        ttft_sketches = _pack_groups(ttfts, ttft_count, len(places))
        for place, group in enumerate(places):
            codes = pack_texts(errors[place].items()) if place in errors else b""
            deltas.append(
                pack_delta(
                    writer, group, sums + place * sum_count, latency_sketches[place], ttft_sketches[place], codes
                )
            )
        return Sums(
            deltas,
            frozenset({_hour_of(group) for group in places}),
            priced,
        )
    finally:
        free(sums)


cdef tuple _hour_of(bytes group):
    """Return the project and the hour of a group."""
    cdef int64_t minute, within
    memcpy(&minute, <const char*>group, sizeof(minute))
    within = minute % HOUR_US
    return (<const char*>group + sizeof(minute)).decode(), _time_of(minute - within - (HOUR_US if within < 0 else 0))


cdef int _compare(const void* one, const void* other) noexcept nogil:
    return ((<int64_t*>one)[0] > (<int64_t*>other)[0]) - ((<int64_t*>one)[0] < (<int64_t*>other)[0])


cdef list _pack_groups(int64_t* buckets, Py_ssize_t count, Py_ssize_t group_count):
    """Return the packed buckets of each group, of a bucket of each log behind the place of its group."""
    cdef list groups = [b""] * group_count, pairs
    cdef Py_ssize_t at = 0, begin, place
    qsort(buckets, count, sizeof(int64_t), &_compare)
    while at < count:
        place, pairs = buckets[at] >> BUCKET_BITS, []
        while at < count and buckets[at] >> BUCKET_BITS == place:
            begin = at
            while at < count and buckets[at] == buckets[begin]:
                at += 1
            pairs.append((buckets[begin] & BUCKET_MASK, at - begin))
        groups[place] = pack_buckets(pairs)
    return groups
