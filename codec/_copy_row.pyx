# cython: language_level=3, wraparound=False, cdivision=True
"""Makes of a log's fields the row that codec.rows.to_row() makes of the message, in COPY's binary format, and of sums a delta.

Source: https://www.postgresql.org/docs/18/sql-copy.html
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.math cimport ceil, log as log_of
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memcpy, memset

from codec._fields cimport Fields, has
from codec._prices cimport Price
from codec._wire cimport Reader, hex_digit

from llm_observe.v1.log_pb2 import Log

from analytics.sketch import LOG_GAMMA
from codec import rows
from storage.columns import DELTA_COLUMNS, KEY_COLUMNS, LOG_COLUMNS, PACKED_COUNTS, ROLLUP_SUMS

cdef enum:
    COLUMNS = 64
    FIRST_CAPACITY = 4096

cdef enum Kind:
    TEXT, OPERATION, UUID, TIME, MINUTE, RECEIVED, PROJECT, COST, PRICE_VERSION, DURATION, BIGINT, INTEGER
    BUCKET, FLAG, OUTCOME, USAGE, METADATA, TAGS

cdef int64_t EPOCH_S = 946_684_800  # Postgres' epoch, the first second of 2000
cdef int64_t MINUTE_US = 60_000_000
cdef int64_t NUMERIC_BASE = 10_000
cdef int64_t MILLION = 1_000_000
cdef const char* CHAT = b"chat"
cdef double BUCKET_WIDTH = LOG_GAMMA

_number_of = {field.name: field.number for field in Log.DESCRIPTOR.fields}
cdef list _OUTCOMES = [word.encode() for word in rows.OUTCOMES]
cdef list _SOURCES = [word.encode() for word in rows.USAGE_SOURCES]
_MADE_OF = {
    "log_id": (UUID, "log_id"), "project_id": (PROJECT, None), "receive_time": (RECEIVED, None),
    "minute": (MINUTE, None), "latency_us": (DURATION, "latency"), "latency_bucket": (BUCKET, "latency"),
    "time_to_first_token_us": (DURATION, "time_to_first_token"), "ttft_bucket": (BUCKET, "time_to_first_token"),
    "cost_nano_usd": (COST, None), "price_version": (PRICE_VERSION, None), "operation": (OPERATION, "operation"),
    "outcome": (OUTCOME, "outcome"), "usage_source": (USAGE, "usage_source"), "metadata": (METADATA, "metadata"),
    "tags": (TAGS, "tags"),
}
cdef int START = _number_of["start_time"]
cdef int OPERATION_FIELD = _number_of["operation"]
cdef int OUTCOME_FIELD = _number_of["outcome"]
cdef int USAGE_FIELD = _number_of["usage_source"]
cdef uint64_t COUNTED = 0  # where one of these is there, usage was reported
for _name in rows.REPORTED_BY:
    COUNTED |= <uint64_t>1 << <int>_number_of[_name]


cdef int delta_count = len(DELTA_COLUMNS)
cdef int delta_sum_count = len(ROLLUP_SUMS)
cdef bint is_numeric[COLUMNS]
for _place, _each in enumerate(ROLLUP_SUMS):
    is_numeric[<int>_place] = _each.type == "numeric"
if [each.name for each in PACKED_COUNTS] != ["latency_sketch", "ttft_sketch", "error_codes"]:
    raise ImportError("pack_delta() packs other counts")


cdef struct ColumnPlan:
    int kind
    int field


cdef struct Shape:
    ColumnPlan columns[COLUMNS]
    int count


cdef Shape row_shape
cdef Shape key_shape


def _plan_of(column):
    """Return how a column is made, and of which field."""
    if column.name in _MADE_OF:
        return _MADE_OF[column.name]
    if column.name in rows.TIMES:
        return TIME, column.name
    if column.name in rows.FLAGS:
        return FLAG, column.name
    if column.name in rows.NUMBERS:
        return INTEGER if column.type == "integer" else BIGINT, column.name
    if column.name in rows.TEXTS:
        return TEXT, column.name
    raise ImportError(f"no way to make the column {column.name}")


cdef int _set_shape(Shape* shape, columns) except -1:
    cdef int place
    shape.count = len(columns)
    for place, column in enumerate(columns):
        kind, name = _plan_of(column)
        shape.columns[place].kind = kind
        shape.columns[place].field = _number_of[name] if name else 0
    return 0


_set_shape(&row_shape, LOG_COLUMNS)
_set_shape(&key_shape, KEY_COLUMNS)


cdef int write_uuid(Reader text, uint8_t* into) noexcept:
    """Write the 16 bytes of a UUID's 36 characters."""
    cdef int digits = 0, at
    memset(into, 0, 16)
    for at in range(36):
        if text.at[at] != c'-':
            into[digits >> 1] |= hex_digit(text.at[at]) << (0 if digits & 1 else 4)
            digits += 1
    return 0


cdef int64_t timestamp_us(const Fields* fields, int field) noexcept:
    """Return a time in microseconds since 2000."""
    return (fields.times[field].seconds - EPOCH_S) * MILLION + fields.times[field].nanos // 1000


cdef int64_t duration_us(const Fields* fields, int field) noexcept:
    """Return a duration in microseconds."""
    return fields.times[field].seconds * MILLION + fields.times[field].nanos // 1000


cdef int64_t minute_us(const Fields* fields) noexcept:
    """Return the UTC minute that counts the log, in microseconds since 2000."""
    cdef int64_t start = timestamp_us(fields, START), within = start % MINUTE_US
    return start - within - (MINUTE_US if within < 0 else 0)


cdef int bucket_of(const Fields* fields, int field) noexcept:
    """Return the bucket of a duration as analytics.sketch does, or -1 for a log that no bucket counts."""
    if not has(fields, field) or fields.numbers[OUTCOME_FIELD] != 1:
        return -1
    if duration_us(fields, field) <= 1:
        return 0
    return <int>ceil(log_of(<double>duration_us(fields, field)) / BUCKET_WIDTH)


cdef Reader operation_of(const Fields* fields) noexcept:
    """Return the operation; an empty one is a chat."""
    cdef Reader text = fields.texts[OPERATION_FIELD]
    if text.at == text.end:
        text.at = <const uint8_t*>CHAT
        text.end = text.at + 4
    return text


cdef bytes _source_of(const Fields* fields):
    if fields.numbers[USAGE_FIELD]:
        return _SOURCES[fields.numbers[USAGE_FIELD]]
    return b"reported" if fields.seen & COUNTED else b"missing"


cdef class RowWriter:
    def __cinit__(self):
        self.capacity = FIRST_CAPACITY
        self.data = <uint8_t*>PyMem_Malloc(self.capacity)
        if self.data == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.data)


cdef bytes pack_row(RowWriter row, const Fields* fields, const Price* price, bytes project, int64_t received):
    """Return a tuple of logs."""
    return _pack(row, fields, price, &row_shape, project, received)


cdef bytes pack_key(RowWriter row, const Fields* fields, bytes project, int64_t received):
    """Return a tuple of log_keys."""
    return _pack(row, fields, NULL, &key_shape, project, received)


cdef bytes pack_delta(
    RowWriter row, bytes group, const int64_t* sums, bytes latency_sketch, bytes ttft_sketch, bytes error_codes
):
    """Return a tuple of rollup_deltas.

    Args:
        row: Where it is made.
        group: The minute, as eight bytes, and the names, with a NUL between them.
        sums: The values of ROLLUP_SUMS.
        latency_sketch: Packed counts; likewise the others.
    """
    cdef int place
    row.data[0], row.data[1], row.size = 0, delta_count, 2
    _put_group(row, group)
    for place in range(delta_sum_count):
        if is_numeric[place]:
            _put_numeric(row, sums[place])
        else:
            _put_number(row, sums[place], 8)
    _put_bytes(row, latency_sketch)
    _put_bytes(row, ttft_sketch)
    _put_bytes(row, error_codes)
    return PyBytes_FromStringAndSize(<char*>row.data, row.size)


cdef int _put_group(RowWriter row, bytes group) except -1:
    """Put the values of ROLLUP_KEY: the project, the minute and the other names."""
    cdef const char* at = group
    cdef const char* end = at + len(group)
    cdef const char* stop
    cdef int64_t minute
    cdef bint is_first = True
    memcpy(&minute, at, sizeof(minute))
    at += sizeof(minute)
    while at <= end:
        stop = <const char*>memchr(at, 0, end - at)
        if stop == NULL:
            stop = end
        _put_text(row, at, stop - at)
        if is_first:
            _put_number(row, minute, 8)
            is_first = False
        at = stop + 1
    return 0


cdef bytes _pack(
    RowWriter row, const Fields* fields, const Price* price, const Shape* shape, bytes project, int64_t received
):
    cdef int place
    row.data[0], row.data[1] = 0, shape.count
    row.size = 2
    for place in range(shape.count):
        _put_column(row, fields, price, shape.columns[place], project, received)
    return PyBytes_FromStringAndSize(<char*>row.data, row.size)


cdef int _put_column(
    RowWriter row, const Fields* fields, const Price* price, ColumnPlan column, bytes project, int64_t received
) except -1:
    cdef int field = column.field, kind = column.kind
    cdef bint seen = has(fields, field)
    cdef Reader text
    cdef uint8_t uuid[16]
    if kind == TEXT or kind == OPERATION:
        text = fields.texts[field] if kind == TEXT else operation_of(fields)
        return _put_text(row, text.at, text.end - text.at)
    if kind == BIGINT:
        return _put_number(row, fields.numbers[field], 8) if seen else _put_null(row)
    if kind == TIME:
        return _put_number(row, timestamp_us(fields, field), 8) if seen else _put_null(row)
    if kind == DURATION:
        return _put_number(row, duration_us(fields, field), 8) if seen else _put_null(row)
    if kind == BUCKET:
        return _put_bucket(row, bucket_of(fields, field))
    if kind == METADATA or kind == TAGS:
        return _put_json(row, fields, kind)
    if kind == UUID:
        write_uuid(fields.texts[field], uuid)
        return _put_text(row, uuid, 16)
    if kind == OUTCOME:
        return _put_bytes(row, _OUTCOMES[fields.numbers[field]])
    if kind == USAGE:
        return _put_bytes(row, _source_of(fields))
    if kind == PROJECT:
        return _put_bytes(row, project)
    if kind == RECEIVED:
        return _put_number(row, received, 8)
    if kind == MINUTE:
        return _put_number(row, minute_us(fields), 8)
    if kind == FLAG:
        return _put_number(row, fields.numbers[field] if seen else 0, 1)
    if kind == INTEGER:
        return _put_number(row, fields.numbers[field], 4) if seen else _put_null(row)
    if kind == PRICE_VERSION:
        return _put_bytes(row, <bytes>price.version)
    return _put_number(row, price.cost, 8) if price.cost >= 0 else _put_null(row)  # COST


cdef inline int _put(RowWriter row, const void* data, Py_ssize_t size) except -1:
    """Append bytes."""
    if row.size + size > row.capacity:
        _grow(row, row.size + size)
    memcpy(row.data + row.size, data, size)
    row.size += size
    return 0


cdef int _grow(RowWriter row, Py_ssize_t needed) except -1:
    cdef Py_ssize_t capacity = max(needed, 2 * row.capacity)
    cdef uint8_t* data = <uint8_t*>PyMem_Realloc(row.data, capacity)
    if data == NULL:
        raise MemoryError
    row.data, row.capacity = data, capacity
    return 0


cdef int _put_number(RowWriter row, int64_t value, int size) except -1:
    """Put a number of ``size`` bytes, with its length before it."""
    cdef uint8_t data[12]
    cdef int at
    data[0], data[1], data[2], data[3] = 0, 0, 0, size
    for at in range(size):
        data[4 + at] = value >> (8 * (size - 1 - at)) & 0xFF
    return _put(row, data, 4 + size)


cdef int _put_numeric(RowWriter row, int64_t value) except -1:
    """Put a whole number that is not negative as digits to the base of 10,000."""
    cdef uint8_t data[24]
    cdef int count = 0, at, digit
    cdef int64_t rest = value
    while rest:
        rest //= NUMERIC_BASE
        count += 1
    memset(data, 0, sizeof(data))
    data[3] = 8 + 2 * count
    data[5] = count
    data[7] = max(count - 1, 0)  # the first one's weight
    for at in range(count):
        digit = value % NUMERIC_BASE
        value //= NUMERIC_BASE
        data[10 + 2 * (count - at)] = digit >> 8
        data[11 + 2 * (count - at)] = digit & 0xFF
    return _put(row, data, 12 + 2 * count)


cdef int _put_bucket(RowWriter row, int bucket) except -1:
    return _put_null(row) if bucket < 0 else _put_number(row, bucket, 2)


cdef int _put_null(RowWriter row) except -1:
    return _put(row, b"\xff\xff\xff\xff", 4)


cdef void _set_size(RowWriter row, Py_ssize_t at, Py_ssize_t size) noexcept:
    cdef int place
    for place in range(4):
        row.data[at + place] = size >> (8 * (3 - place)) & 0xFF


cdef int _put_text(RowWriter row, const void* data, Py_ssize_t size) except -1:
    cdef Py_ssize_t begin = row.size
    _put(row, b"\0\0\0\0", 4)
    _set_size(row, begin, size)
    return _put(row, data, size)


cdef int _put_bytes(RowWriter row, bytes data) except -1:
    return _put_text(row, <const char*>data, len(data))


cdef int _put_json(RowWriter row, const Fields* fields, int kind) except -1:
    cdef Py_ssize_t begin = row.size
    cdef int place, count = fields.pair_count if kind == METADATA else fields.tag_count
    if not count:
        return _put_null(row)
    _put(row, b"\0\0\0\0\1", 5)  # a length, and jsonb's version
    _put(row, b"{" if kind == METADATA else b"[", 1)
    for place in range(count):
        if place:
            _put(row, b",", 1)
        if kind == METADATA:
            _put_string(row, fields.pairs[place].key)
            _put(row, b":", 1)
            _put_string(row, fields.pairs[place].value)
        else:
            _put_string(row, fields.tags[place])
    _put(row, b"}" if kind == METADATA else b"]", 1)
    _set_size(row, begin, row.size - begin - 4)
    return 0


cdef int _put_string(RowWriter row, Reader r) except -1:
    """Put a JSON string."""
    cdef uint8_t byte
    cdef uint8_t escape[6]
    memcpy(escape, b"\\u0000", 6)
    _put(row, b'"', 1)
    while r.at < r.end:
        byte = r.at[0]
        if byte == c'"' or byte == c'\\':
            _put(row, b"\\", 1)
        if byte < c' ':
            escape[4] = c'0' + (byte >> 4)
            escape[5] = b"0123456789abcdef"[byte & 15]
            _put(row, escape, 6)
        else:
            _put(row, &byte, 1)
        r.at += 1
    return _put(row, b'"', 1)
