# cython: language_level=3, wraparound=False, cdivision=True
"""Makes of a log's fields the row that codec.rows.to_row() makes of the message, in COPY's binary format.

Source: https://www.postgresql.org/docs/18/sql-copy.html
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport ceil, log as log_of
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

from codec._fields cimport Fields, has
from codec._wire cimport Reader, hex_digit

from llm_observe.v1.log_pb2 import Log

from analytics import sketch
from storage.log_writes import COPY_COLUMNS, KEY_COLUMNS
from codec import rows

cdef enum:
    COLUMNS = 64
    ROOM = 262_144  # bytes of the largest row

cdef enum Kind:
    TEXT, OPERATION, UUID, TIME, HOUR, RECEIVED, PROJECT, NOTHING, EMPTY, DURATION, COUNT, SHORT_COUNT, BUCKET
    FLAG, OUTCOME, USAGE, METADATA, TAGS

cdef int64_t EPOCH_S = 946_684_800  # Postgres' epoch, the first second of 2000
cdef int64_t HOUR_US = 3_600_000_000
cdef int64_t MILLION = 1_000_000
cdef const char* CHAT = b"chat"
cdef double LOG_GAMMA = sketch._LOG_GAMMA

_number_of = {field.name: field.number for field in Log.DESCRIPTOR.fields}
cdef list _OUTCOMES = [word.encode() for word in rows.OUTCOMES]
cdef list _SOURCES = [word.encode() for word in rows.USAGE_SOURCES]
_KIND_OF = {
    "log_id": UUID, "start_time": TIME, "end_time": TIME, "first_token_time": TIME, "receive_time": RECEIVED,
    "hour": HOUR, "latency_us": DURATION, "time_to_first_token_us": DURATION, "latency_bucket": BUCKET,
    "ttft_bucket": BUCKET, "http_status": SHORT_COUNT, "streamed": FLAG, "project_id": PROJECT,
    "cost_nano_usd": NOTHING, "price_version": EMPTY, "operation": OPERATION, "outcome": OUTCOME,
    "usage_source": USAGE, "metadata": METADATA, "tags": TAGS, **dict.fromkeys(rows.TOKEN_COUNTS, COUNT),
}
_FIELD_OF = {
    "latency_us": "latency", "latency_bucket": "latency", "time_to_first_token_us": "time_to_first_token",
    "ttft_bucket": "time_to_first_token",
}
_MADE_HERE = {"receive_time", "hour", "project_id", "cost_nano_usd", "price_version"}
cdef int START = _number_of["start_time"]
cdef int OPERATION_FIELD = _number_of["operation"]
cdef int OUTCOME_FIELD = _number_of["outcome"]
cdef int USAGE_FIELD = _number_of["usage_source"]
cdef uint64_t COUNTED = 0  # where one of these is there, usage was reported
for _name in rows.REPORTED_BY:
    COUNTED |= <uint64_t>1 << <int>_number_of[_name]


cdef struct Column:
    int kind
    int field


cdef struct Shape:
    Column columns[COLUMNS]
    int count


cdef Shape row_shape
cdef Shape key_shape
cdef uint8_t row[ROOM]  # what is being made; one at a time, under the interpreter's lock
cdef Py_ssize_t filled


cdef int _set_shape(Shape* shape, names) except -1:
    """Note how to make each column."""
    cdef int place
    shape.count = len(names)
    for place, name in enumerate(names):
        shape.columns[place].kind = _KIND_OF.get(name, TEXT)
        shape.columns[place].field = 0 if name in _MADE_HERE else _number_of[_FIELD_OF.get(name, name)]
    return 0


_set_shape(&row_shape, COPY_COLUMNS)
_set_shape(&key_shape, KEY_COLUMNS)


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


cdef inline int _set_size(Py_ssize_t at, Py_ssize_t size) noexcept:
    cdef int place
    for place in range(4):
        row[at + place] = size >> (8 * (3 - place)) & 0xFF
    return 0


cdef inline int _put_text(const void* data, Py_ssize_t size) except -1:
    cdef Py_ssize_t begin = filled
    _put(b"\0\0\0\0", 4)
    _set_size(begin, size)
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


cdef int _put_json(const Fields* fields, int kind) except -1:
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
    return _set_size(begin, filled - begin - 4)


cdef int write_uuid(Reader text, uint8_t* into) noexcept:
    """Write the 16 bytes of a UUID's 36 characters."""
    cdef int digits = 0, at
    memset(into, 0, 16)
    for at in range(36):
        if text.at[at] != 45:
            into[digits >> 1] |= hex_digit(text.at[at]) << (0 if digits & 1 else 4)
            digits += 1
    return 0


cdef int64_t moment_us(const Fields* fields, int field) noexcept:
    """Return a time in microseconds since 2000."""
    return (fields.moments[field].seconds - EPOCH_S) * MILLION + fields.moments[field].nanos // 1000


cdef int64_t span_us(const Fields* fields, int field) noexcept:
    """Return a duration in microseconds."""
    return fields.moments[field].seconds * MILLION + fields.moments[field].nanos // 1000


cdef int64_t hour_us(const Fields* fields) noexcept:
    """Return the hour in UTC that counts the log, in microseconds since 2000."""
    cdef int64_t start = moment_us(fields, START), within = start % HOUR_US
    return start - within - (HOUR_US if within < 0 else 0)


cdef int bucket_of(const Fields* fields, int field) noexcept:
    """Return the bucket of a duration as analytics.sketch does, or -1 for a log that counts in none."""
    if not has(fields, field) or fields.numbers[OUTCOME_FIELD] != 1:
        return -1
    if span_us(fields, field) <= 1:
        return 0
    return <int>ceil(log_of(<double>span_us(fields, field)) / LOG_GAMMA)


cdef Reader operation_of(const Fields* fields) noexcept:
    """Return what was called: a chat, where nothing is said."""
    cdef Reader text = fields.texts[OPERATION_FIELD]
    if text.at == text.end:
        text.at = <const uint8_t*>CHAT
        text.end = text.at + 4
    return text


cdef bytes _source_of(const Fields* fields):
    if fields.numbers[USAGE_FIELD]:
        return _SOURCES[fields.numbers[USAGE_FIELD]]
    return b"reported" if fields.seen & COUNTED else b"missing"


cdef int _put_column(const Fields* fields, Column column, bytes project, int64_t received) except -1:
    cdef int field = column.field, kind = column.kind
    cdef bint seen = has(fields, field)
    cdef Reader text
    cdef uint8_t uuid[16]
    if kind == TEXT or kind == OPERATION:
        text = fields.texts[field] if kind == TEXT else operation_of(fields)
        return _put_text(text.at, text.end - text.at)
    if kind == COUNT:
        return _put_number(fields.numbers[field], 8) if seen else _put_null()
    if kind == TIME:
        return _put_number(moment_us(fields, field), 8) if seen else _put_null()
    if kind == DURATION:
        return _put_number(span_us(fields, field), 8) if seen else _put_null()
    if kind == BUCKET:
        return _put_null() if bucket_of(fields, field) < 0 else _put_number(bucket_of(fields, field), 2)
    if kind == METADATA or kind == TAGS:
        return _put_json(fields, kind)
    if kind == UUID:
        write_uuid(fields.texts[field], uuid)
        return _put_text(uuid, 16)
    if kind == OUTCOME:
        return _put_bytes(_OUTCOMES[fields.numbers[field]])
    if kind == USAGE:
        return _put_bytes(_source_of(fields))
    if kind == PROJECT:
        return _put_bytes(project)
    if kind == RECEIVED:
        return _put_number(received, 8)
    if kind == HOUR:
        return _put_number(hour_us(fields), 8)
    if kind == FLAG:
        return _put_number(fields.numbers[field] if seen else 0, 1)
    if kind == SHORT_COUNT:
        return _put_number(fields.numbers[field], 4) if seen else _put_null()
    return _put_text(b"", 0) if kind == EMPTY else _put_null()


cdef bytes _pack(const Fields* fields, Shape* shape, bytes project, int64_t received):
    global filled
    cdef int place
    row[0], row[1] = 0, shape.count
    filled = 2
    for place in range(shape.count):
        _put_column(fields, shape.columns[place], project, received)
    return PyBytes_FromStringAndSize(<char*>row, filled)


cdef bytes pack_row(const Fields* fields, bytes project, int64_t received):
    """Return a tuple of logs. Raises OverflowError where there is no room for it."""
    return _pack(fields, &row_shape, project, received)


cdef bytes pack_key(const Fields* fields, bytes project, int64_t received):
    """Return a tuple of log_keys."""
    return _pack(fields, &key_shape, project, received)
