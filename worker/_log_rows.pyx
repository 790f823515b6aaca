# cython: language_level=3, wraparound=False, cdivision=True
"""Logs off the bytes of a batch into rows of Postgres' COPY format, with what they add to the rollups.

worker.rows.to_row() is the law of what a row is; this makes the same of bytes that are as usual, in a tenth of the
time. A log whose texts may need redaction is redacted as a message first; one that is unusual otherwise, such as a
field that is unknown or comes twice, is left to to_row() as well.

COPY's binary format: https://www.postgresql.org/docs/18/sql-copy.html
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.datetime cimport import_datetime, timedelta_new
from libc.math cimport ceil, log as log_of
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcpy, memset

from worker._plain_text cimport is_plain
from worker._wire cimport BYTES, VARINT, Moment, Reader, hex_digit, read_moment, take, varint

import sys
from datetime import UTC, datetime, timedelta

from llm_observe import redaction
from llm_observe.v1.log_pb2 import Log

from analytics import sketch
from storage.log_writes import COPY_COLUMNS, KEY_COLUMNS, LogId
from worker import rows

import_datetime()

cdef enum:
    LOGS = 1  # the field of IngestLogsRequest
    FIELDS = 64
    COLUMNS = 64
    PAIRS_MOST = 50
    TAGS_MOST = 20
    KEY_MOST = 64
    VALUE_MOST = 500
    TAG_MOST = 64
    ID_MOST = 64
    SUMS = 16
    ROOM = 262_144  # bytes of the largest row
    DAY_S = 86_400
    EPOCH_DAYS = 10_957  # from 1970 to 2000

cdef enum Kind:
    TEXT, OPERATION, UUID, TIME, HOUR, RECEIVED, PROJECT, NOTHING, EMPTY, DURATION, COUNT, SHORT_COUNT, BUCKET
    FLAG, OUTCOME, USAGE, METADATA, TAGS

cdef int64_t SECONDS_MOST = 253_402_300_799  # the end of year 9999
cdef int64_t DURATION_MOST = 1 << 27  # seconds; of more, and of more tokens, sums might not fit
cdef int64_t COUNT_MOST = 1 << 47
cdef int64_t EPOCH_S = 946_684_800  # Postgres' epoch, the first second of 2000
cdef int64_t HOUR_US = 3_600_000_000
cdef int64_t MILLION = 1_000_000
cdef const char* CHAT = b"chat"
cdef double LOG_GAMMA = sketch._LOG_GAMMA

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_number_of = {field.name: field.number for field in Log.DESCRIPTOR.fields}
_OUTCOMES = [word.encode() for word in rows.OUTCOMES]
_SOURCES = [word.encode() for word in rows.USAGE_SOURCES]
_SUMMED = (
    "input_token_count", "output_token_count", "total_token_count", "cache_read_token_count",
    "cache_write_token_count", "reasoning_token_count",
)
_SUM_NAMES = (
    "request_count", "success_count", "error_count", "cancelled_count", "priced_count", "latency_count",
    "ttft_count", "latency_us_sum", "ttft_us_sum", "input_token_sum", "output_token_sum", "total_token_sum",
    "cache_read_token_sum", "cache_write_token_sum", "reasoning_token_sum", "cost_nano_usd_sum",
)
_GROUP_NAMES = ("project_id", "provider", "model", "operation", "environment")
_KIND_OF = {
    "log_id": UUID, "start_time": TIME, "end_time": TIME, "first_token_time": TIME, "receive_time": RECEIVED,
    "hour": HOUR, "latency_us": DURATION, "time_to_first_token_us": DURATION, "latency_bucket": BUCKET,
    "ttft_bucket": BUCKET, "http_status": SHORT_COUNT, "streamed": FLAG, "project_id": PROJECT,
    "cost_nano_usd": NOTHING, "price_version": EMPTY, "operation": OPERATION, "outcome": OUTCOME,
    "usage_source": USAGE, "metadata": METADATA, "tags": TAGS, **dict.fromkeys(_SUMMED, COUNT),
}
_FIELD_OF = {
    "latency_us": "latency", "latency_bucket": "latency", "time_to_first_token_us": "time_to_first_token",
    "ttft_bucket": "time_to_first_token",
}
_MADE_HERE = {"receive_time", "hour", "project_id", "cost_nano_usd", "price_version"}


cdef struct Column:
    int kind
    int field


cdef Column columns[COLUMNS]
cdef Column key_columns[COLUMNS]
cdef int column_count = _set_columns(columns, COPY_COLUMNS)
cdef int key_column_count = _set_columns(key_columns, KEY_COLUMNS)


cdef int _set_columns(Column* columns, names) except -1:
    """Note how to make each column; return how many there are."""
    cdef int place
    for place, name in enumerate(names):
        columns[place].kind = _KIND_OF.get(name, TEXT)
        columns[place].field = 0 if name in _MADE_HERE else _number_of[_FIELD_OF.get(name, name)]
    return len(names)


cdef uint64_t _set_of(names) except? 0:
    """Return a bit for each field."""
    cdef uint64_t bits = 0
    cdef int number
    for number in map(_number_of.__getitem__, names):
        bits |= <uint64_t>1 << number
    return bits


cdef int text_most[FIELDS]  # characters that a redacted text may have; 0 where none is redacted
memset(text_most, 0, sizeof(text_most))
for _name, _most in redaction._TEXT_LIMITS.items():
    text_most[<int>_number_of[_name]] = _most
cdef int LOG_ID = _number_of["log_id"]
cdef int PROVIDER = _number_of["provider"]
cdef int MODEL = _number_of["model"]
cdef int OPERATION_FIELD = _number_of["operation"]
cdef int ENVIRONMENT = _number_of["environment"]
cdef int START = _number_of["start_time"]
cdef int LATENCY = _number_of["latency"]
cdef int TTFT = _number_of["time_to_first_token"]
cdef int OUTCOME_FIELD = _number_of["outcome"]
cdef int USAGE_FIELD = _number_of["usage_source"]
cdef int HTTP_STATUS = _number_of["http_status"]
cdef int METADATA_FIELD = _number_of["metadata"]
cdef int TAGS_FIELD = _number_of["tags"]
cdef int summed[SUMS]
for _place, _name in enumerate(_SUMMED):
    summed[<int>_place] = _number_of[_name]
cdef int summed_count = len(_SUMMED)
cdef uint64_t TEXTS = _set_of(redaction._TEXT_LIMITS)
cdef uint64_t IDS = _set_of(["trace_id", "span_id", "parent_span_id"])
cdef uint64_t NUMBERS = _set_of([*_SUMMED, "outcome", "usage_source", "streamed", "http_status"])
cdef uint64_t COUNTS = _set_of(_SUMMED)
cdef uint64_t TIMES = _set_of(["start_time", "first_token_time", "end_time"])
cdef uint64_t SPANS = _set_of(["latency", "time_to_first_token"])
cdef uint64_t REPEATED = _set_of(["metadata", "tags"])
cdef uint64_t NEEDED = _set_of(["log_id", "start_time"])
cdef uint64_t COUNTED = _set_of(["input_token_count", "output_token_count", "total_token_count"])


cdef struct Pair:
    Reader key
    Reader value


cdef struct Fields:
    uint64_t seen
    uint64_t numbers[FIELDS]
    Moment moments[FIELDS]
    Reader texts[FIELDS]
    Pair pairs[PAIRS_MOST]
    Reader tags[TAGS_MOST]
    int pair_count
    int tag_count


cdef Fields fields  # of the log that is read; one at a time, under the interpreter's lock
cdef uint8_t row[ROOM]
cdef Py_ssize_t filled


cdef class PackedLog:
    """A log that is ready to be stored; see storage.log_writes.IncomingLog."""

    cdef readonly object log_id
    cdef readonly object start_time
    cdef readonly object batch
    cdef readonly bytes packed_row
    cdef readonly bytes packed_key
    cdef bytes _within
    cdef Py_ssize_t _begin
    cdef Py_ssize_t _end
    cdef bytes _group
    cdef int16_t _latency_bucket
    cdef int16_t _ttft_bucket
    cdef int64_t _sums[SUMS]

    @property
    def project_id(self):
        return self.batch.project_id

    @property
    def receive_time(self):
        return self.batch.receive_time

    def message(self):
        """Return the redacted log."""
        return Log.FromString(self._within[self._begin : self._end])

    def to_row(self):
        """Return the row."""
        return rows.to_row(
            self.message(), project_id=self.batch.project_id, receive_time=self.batch.receive_time
        )


cdef inline bint _is_in(int field, uint64_t those) noexcept:
    return (those >> field) & 1


cdef bint _is_ascii(Reader r) noexcept:
    while r.at < r.end:
        if r.at[0] == 0 or r.at[0] >= 0x80:
            return False
        r.at += 1
    return True


cdef bint _is_uuid(Reader r) noexcept:
    """Tell whether the Redactor knows it for a UUID, and leaves it alone."""
    cdef int at
    if r.end - r.at != 36:
        return False
    for at in range(36):
        if at in (8, 13, 18, 23):
            if r.at[at] != 45:
                return False
        elif hex_digit(r.at[at]) < 0:
            return False
    return True


cdef int _is_clean(Reader r, Py_ssize_t most, bint redacted) except -1:
    """Tell whether a text is redacted or need not be."""
    if redacted:
        return memchr(r.at, 0, r.end - r.at) == NULL
    return is_plain(r.at, r.end - r.at, most)


cdef int _read_pair(Reader r, bint redacted) except -1:
    cdef Pair* pair
    if fields.pair_count == PAIRS_MOST:
        return False
    pair = &fields.pairs[fields.pair_count]
    fields.pair_count += 1
    if varint(&r) != (1 << 3 | BYTES):
        return False
    pair.key = take(&r)
    if varint(&r) != (2 << 3 | BYTES):
        return False
    pair.value = take(&r)
    if not r.sound or r.at != r.end or pair.key.at == pair.key.end:
        return False
    return _is_clean(pair.key, KEY_MOST, redacted) and _is_clean(pair.value, VALUE_MOST, redacted)


cdef int _read_text(int field, Reader r, bint redacted) except -1:
    fields.texts[field] = r
    if field == LOG_ID:
        return _is_uuid(r)
    if _is_in(field, IDS):
        return r.end - r.at <= ID_MOST and _is_ascii(r)
    if not _is_in(field, TEXTS):
        return False
    return r.at == r.end or _is_uuid(r) or _is_clean(r, text_most[field], redacted)


cdef int _read_part(int field, Reader part, bint redacted) except -1:
    if _is_in(field, TIMES):
        return read_moment(part, SECONDS_MOST, &fields.moments[field])
    if _is_in(field, SPANS):
        return read_moment(part, DURATION_MOST, &fields.moments[field])
    if field == METADATA_FIELD:
        return _read_pair(part, redacted)
    if field == TAGS_FIELD:
        if fields.tag_count == TAGS_MOST or part.at == part.end:
            return False
        fields.tags[fields.tag_count] = part
        fields.tag_count += 1
        return _is_clean(part, TAG_MOST, redacted)
    return _read_text(field, part, redacted)


cdef bint _is_number(int field, uint64_t value) noexcept:
    if field == OUTCOME_FIELD or field == USAGE_FIELD:
        return value <= 3
    if field == HTTP_STATUS:
        return value < 1000
    return value < <uint64_t>COUNT_MOST and _is_in(field, NUMBERS)


cdef int _read_fields(Reader r, bint redacted) except -1:
    """Fill fields; False where something is not as usual, or a text may have to be redacted."""
    cdef uint64_t tag
    cdef int field
    cdef Reader part
    fields.seen, fields.pair_count, fields.tag_count = 0, 0, 0
    fields.numbers[OUTCOME_FIELD] = fields.numbers[USAGE_FIELD] = 0
    while r.at < r.end:
        tag = varint(&r)
        if not r.sound or tag >> 3 >= FIELDS:
            return False
        field = tag >> 3
        if _is_in(field, fields.seen & ~REPEATED):
            return False
        fields.seen |= <uint64_t>1 << field
        if tag & 7 == VARINT:
            fields.numbers[field] = varint(&r)
            if not _is_number(field, fields.numbers[field]):
                return False
        elif tag & 7 == BYTES:
            part = take(&r)
            if not part.sound or not _read_part(field, part, redacted):
                return False
        else:
            return False
    return r.sound and (fields.seen & NEEDED) == NEEDED


cdef inline int _put(const void* data, Py_ssize_t size) except -1:
    global filled
    if filled + size > ROOM:
        raise OverflowError
    memcpy(row + filled, data, size)
    filled += size
    return 0


cdef inline int _put_number(int64_t value, int size) except -1:
    """Put a number of ``size`` bytes, with its length before it."""
    cdef uint8_t data[12]
    cdef int at
    data[0], data[1], data[2], data[3] = 0, 0, 0, size
    for at in range(size):
        data[4 + at] = value >> (8 * (size - 1 - at)) & 0xFF
    return _put(data, 4 + size)


cdef inline int _put_null() except -1:
    return _put(b"\xff\xff\xff\xff", 4)


cdef inline int _put_size(Py_ssize_t at, Py_ssize_t size) noexcept:
    row[at], row[at + 1], row[at + 2], row[at + 3] = size >> 24 & 0xFF, size >> 16 & 0xFF, size >> 8 & 0xFF, size & 0xFF
    return 0


cdef inline int _put_text(const void* data, Py_ssize_t size) except -1:
    cdef Py_ssize_t begin = filled
    _put(b"\0\0\0\0", 4)
    _put_size(begin, size)
    return _put(data, size)


cdef inline int _put_bytes(bytes data) except -1:
    return _put_text(<const char*>data, len(data))


cdef int _put_string(Reader r) except -1:
    """Put a JSON string."""
    cdef uint8_t byte
    cdef uint8_t escape[6]
    memcpy(escape, b"\\u0000", 6)
    _put(b'"', 1)
    while r.at < r.end:
        byte = r.at[0]
        if byte == 34 or byte == 92:
            _put(b"\\", 1)
        if byte < 32:
            escape[4] = 48 + (byte >> 4)
            escape[5] = b"0123456789abcdef"[byte & 15]
            _put(escape, 6)
        else:
            _put(&byte, 1)
        r.at += 1
    return _put(b'"', 1)


cdef int _put_json(int kind) except -1:
    cdef Py_ssize_t begin = filled
    cdef int place, count = fields.pair_count if kind == METADATA else fields.tag_count
    if not count:
        return _put_null()
    _put(b"\0\0\0\0\1", 5)  # a length, and jsonb's version
    _put(b"{" if kind == METADATA else b"[", 1)
    for place in range(count):
        if place:
            _put(b",", 1)
        if kind == METADATA:
            _put_string(fields.pairs[place].key)
            _put(b":", 1)
            _put_string(fields.pairs[place].value)
        else:
            _put_string(fields.tags[place])
    _put(b"}" if kind == METADATA else b"]", 1)
    return _put_size(begin, filled - begin - 4)


cdef int _put_uuid(Reader r, uint8_t* into) except -1:
    cdef int digits = 0, at
    memset(into, 0, 16)
    for at in range(36):
        if r.at[at] != 45:
            into[digits >> 1] |= hex_digit(r.at[at]) << (0 if digits & 1 else 4)
            digits += 1
    return _put_text(into, 16)


cdef inline int64_t _moment_us(int field) noexcept:
    return (fields.moments[field].seconds - EPOCH_S) * MILLION + fields.moments[field].nanos // 1000


cdef inline int64_t _span_us(int field) noexcept:
    return fields.moments[field].seconds * MILLION + fields.moments[field].nanos // 1000


cdef inline int64_t _hour_us() noexcept:
    cdef int64_t start = _moment_us(START), within = start % HOUR_US
    return start - within - (HOUR_US if within < 0 else 0)


cdef int _bucket(int field) noexcept:
    """Return the sketch's bucket as analytics.sketch does, or -1 for a log that counts in none."""
    if not _is_in(field, fields.seen) or fields.numbers[OUTCOME_FIELD] != 1:
        return -1
    if _span_us(field) <= 1:
        return 0
    return <int>ceil(log_of(<double>_span_us(field)) / LOG_GAMMA)


cdef Reader _operation() noexcept:
    """Return what was called, a chat where nothing is said."""
    cdef Reader text = fields.texts[OPERATION_FIELD]
    if not _is_in(OPERATION_FIELD, fields.seen) or text.at == text.end:
        text.at = <const uint8_t*>CHAT
        text.end = text.at + 4
    return text


cdef bytes _source():
    cdef uint64_t number = fields.numbers[USAGE_FIELD]
    if number:
        return _SOURCES[number]
    return b"reported" if fields.seen & COUNTED else b"missing"


cdef int _put_column(Column column, bytes project, int64_t received, uint8_t* log_id) except -1:
    cdef int field = column.field
    cdef bint seen = _is_in(field, fields.seen)
    cdef Reader text
    if column.kind == TEXT:
        text = fields.texts[field]
        return _put_text(text.at, text.end - text.at) if seen else _put_text(b"", 0)
    if column.kind == COUNT:
        return _put_number(fields.numbers[field], 8) if seen else _put_null()
    if column.kind == TIME:
        return _put_number(_moment_us(field), 8) if seen else _put_null()
    if column.kind == DURATION:
        return _put_number(_span_us(field), 8) if seen else _put_null()
    if column.kind == BUCKET:
        return _put_null() if _bucket(field) < 0 else _put_number(_bucket(field), 2)
    if column.kind == METADATA or column.kind == TAGS:
        return _put_json(column.kind)
    if column.kind == UUID:
        return _put_uuid(fields.texts[field], log_id)
    if column.kind == OPERATION:
        text = _operation()
        return _put_text(text.at, text.end - text.at)
    if column.kind == OUTCOME:
        return _put_bytes(_OUTCOMES[fields.numbers[field]])
    if column.kind == USAGE:
        return _put_bytes(_source())
    if column.kind == PROJECT:
        return _put_bytes(project)
    if column.kind == RECEIVED:
        return _put_number(received, 8)
    if column.kind == HOUR:
        return _put_number(_hour_us(), 8)
    if column.kind == FLAG:
        return _put_number(fields.numbers[field] if seen else 0, 1)
    if column.kind == SHORT_COUNT:
        return _put_number(fields.numbers[field], 4) if seen else _put_null()
    return _put_text(b"", 0) if column.kind == EMPTY else _put_null()


cdef bytes _pack(Column* columns, int count, bytes project, int64_t received, uint8_t* log_id):
    """Return a tuple of what was read."""
    global filled
    cdef int place
    row[0], row[1] = 0, count
    filled = 2
    for place in range(count):
        _put_column(columns[place], project, received, log_id)
    return PyBytes_FromStringAndSize(<char*>row, filled)


cdef bytes _group_of(bytes project):
    """Return the key of the rollup that counts the log: hour and names, of which none has a NUL."""
    global filled
    cdef int64_t hour = _hour_us()
    cdef int field
    cdef Reader text
    filled = 0
    _put(&hour, sizeof(hour))
    _put(<const char*>project, len(project))
    for field in (PROVIDER, MODEL, OPERATION_FIELD, ENVIRONMENT):
        _put(b"\0", 1)
        if field == OPERATION_FIELD:
            text = _operation()
            _put(text.at, text.end - text.at)
        elif _is_in(field, fields.seen):
            text = fields.texts[field]
            _put(text.at, text.end - text.at)
    return PyBytes_FromStringAndSize(<char*>row, filled)


cdef int _sum_up(PackedLog log) noexcept:
    """Note what the log adds to its rollup, in the order of _SUM_NAMES."""
    cdef int place, outcome = fields.numbers[OUTCOME_FIELD]
    memset(log._sums, 0, sizeof(log._sums))
    log._sums[0] = 1
    if outcome:
        log._sums[outcome] = 1
    log._latency_bucket, log._ttft_bucket = _bucket(LATENCY), _bucket(TTFT)
    if log._latency_bucket >= 0:
        log._sums[5], log._sums[7] = 1, _span_us(LATENCY)
    if log._ttft_bucket >= 0:
        log._sums[6], log._sums[8] = 1, _span_us(TTFT)
    for place in range(summed_count):
        if _is_in(summed[place], fields.seen):
            log._sums[9 + place] = fields.numbers[summed[place]]
    return 0


cdef PackedLog _read_log(bytes within, Reader r, object batch, bytes project, int64_t received, bint redacted):
    """Return a log, or None where to_row() must have it."""
    cdef PackedLog log
    cdef uint8_t log_id[16]
    cdef int64_t start_us
    if not _read_fields(r, redacted):
        return None
    log = PackedLog.__new__(PackedLog)
    log.packed_row = _pack(columns, column_count, project, received, log_id)
    log.packed_key = _pack(key_columns, key_column_count, project, received, log_id)
    log.log_id = LogId(PyBytes_FromStringAndSize(<char*>log_id, 16))
    start_us = _moment_us(START) + EPOCH_S * MILLION
    log.start_time = _EPOCH + timedelta_new(
        <int>(start_us // MILLION // DAY_S) - EPOCH_DAYS, <int>(start_us // MILLION % DAY_S), <int>(start_us % MILLION)
    )
    log.batch, log._within = batch, within
    log._begin = r.at - <const uint8_t*>within
    log._end = r.end - <const uint8_t*>within
    log._group = _group_of(project)
    _sum_up(log)
    return log


def other_fields(bytes payload not None):
    """Return the bytes of an IngestLogsRequest but for its logs, or None where it is unusual."""
    cdef const uint8_t* start = payload
    cdef const uint8_t* begin
    cdef Reader r
    cdef uint64_t tag
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


def read_logs(bytes payload not None, batch, bint screen, redact not None, plain_log not None):
    """Return the logs of an IngestLogsRequest of which other_fields() returns something.

    Args:
        payload: The request.
        batch: Whose logs they are; each gets it. Has project_id and receive_time.
        screen: Whether texts that are surely plain need not be redacted.
        redact: Takes a serialized Log and returns it redacted.
        plain_log: Takes a redacted Log and returns it as IncomingLog; for those that cannot be packed here.
    """
    cdef const uint8_t* start = payload
    cdef Reader r, part
    cdef uint64_t tag
    cdef PackedLog log
    cdef bytes redacted, project = batch.project_id.encode()
    cdef int64_t received = (batch.receive_time - _EPOCH) // _MICROSECOND
    cdef list logs = []
    r.at, r.end, r.sound = start, start + len(payload), True
    while r.at < r.end:
        tag = varint(&r)
        part = take(&r)
        if not r.sound:
            raise ValueError("no IngestLogsRequest")
        if tag >> 3 != LOGS:
            continue
        log = _try_log(payload, part, batch, project, received, False) if screen else None
        if log is None:
            redacted = redact(payload[part.at - start : part.end - start])
            part.at = redacted
            part.end = part.at + len(redacted)
            log = _try_log(redacted, part, batch, project, received, True)
            logs.append(plain_log(redacted) if log is None else log)
        else:
            logs.append(log)
    return logs


cdef PackedLog _try_log(bytes within, Reader r, object batch, bytes project, int64_t received, bint redacted):
    try:
        return _read_log(within, r, batch, project, received, redacted)
    except OverflowError:  # a row that is too large for this
        return None


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
