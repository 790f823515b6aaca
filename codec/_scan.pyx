# cython: language_level=3, wraparound=False
"""Checks the rules of codec/rules.py on the bytes of a batch, in a tenth of the time.

A conservative fast path: where it says yes, every log of the batch provably keeps every rule. In doubt, as with a
field that comes twice or is unknown, or a text near its limit that is not ASCII, it leaves the batch to
find_violation(), the reference implementation. codec.scan is its twin in Python.
"""

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memset

from codec._wire cimport BYTES, VARINT, Reader, TimeValue, hex_digit, read_time, reader_of, take, varint

from google.protobuf.descriptor import FieldDescriptor
from llm_observe import limits
from llm_observe.v1.log_pb2 import Log, Outcome, UsageSource

from codec import rules

cdef enum:
    LOGS = 1  # the field of IngestLogsRequest
    SLOTS = 1024  # for the ids of a batch
    FIELDS = 64
    ANY_LENGTH = 1 << 30

_number_of = {field.name: field.number for field in Log.DESCRIPTOR.fields}
cdef int LOG_ID = _number_of["log_id"]
cdef int START_TIME = _number_of["start_time"]
cdef int FIRST_TOKEN_TIME = _number_of["first_token_time"]
cdef int END_TIME = _number_of["end_time"]
cdef int LATENCY = _number_of["latency"]
cdef int TTFT = _number_of["time_to_first_token"]
cdef int METADATA = _number_of["metadata"]
cdef int TAGS = _number_of["tags"]

cdef int MAX_LOGS = limits.MAX_BATCH_LOGS
if 2 * MAX_LOGS > SLOTS:
    raise ImportError("too few slots for the ids of a batch")
cdef int64_t MAX_TIMESTAMP_S = rules.MAX_TIMESTAMP_S
cdef TimeValue LONGEST
LONGEST.seconds, LONGEST.nanos = rules.MAX_LATENCY_S, 0
cdef int64_t AHEAD_S = rules.MAX_AHEAD_S
cdef int MAX_PAIRS = rules.METADATA_PAIRS
cdef int MAX_KEY_CHARS = rules.METADATA_KEY_CHARS
cdef int MAX_VALUE_CHARS = rules.METADATA_VALUE_CHARS
cdef int MAX_TAGS = rules.TAGS
cdef int MAX_TAG_CHARS = rules.TAG_CHARS
cdef uint64_t FNV_PRIME = 1_099_511_628_211


cdef uint64_t _set_of(names):
    """Return a bit for each field."""
    cdef uint64_t bits = 0
    cdef int number
    for number in map(_number_of.__getitem__, names):
        bits |= <uint64_t>1 << number
    return bits


_TEXTS = {
    "log_id": 36,
    **dict(rules.REQUIRED_TEXTS),
    **dict(rules.OPTIONAL_TEXTS),
    **{name: digits for name, digits, _ in rules.SPAN_FIELDS},
    **dict.fromkeys(("input_preview", "output_preview", "error_message"), ANY_LENGTH),
}
cdef int max_bytes[FIELDS]  # bytes, which are never fewer than characters; 0 where the field is no text
memset(max_bytes, 0, sizeof(max_bytes))
for _name, _max in _TEXTS.items():
    max_bytes[<int>_number_of[_name]] = _max
cdef uint64_t REQUIRED_TEXTS = _set_of(["log_id", *dict(rules.REQUIRED_TEXTS)])
cdef uint64_t REQUIRED = REQUIRED_TEXTS | _set_of(["start_time", "outcome"])
cdef uint64_t HEX = _set_of([name for name, _, _ in rules.SPAN_FIELDS])
cdef uint64_t LOWER_CASE = _set_of(limits.LOWER_CASE_TEXTS)
cdef uint64_t TIMES = _set_of(["start_time", "first_token_time", "end_time"])
cdef uint64_t DURATIONS = _set_of(["latency", "time_to_first_token"])
cdef uint64_t REPEATED = _set_of(["metadata", "tags"])

_ANY = range(1 << 63)  # whatever varint() reads
_INT32 = range(1 << 31)  # of a larger number, protobuf takes the lower half
_NUMBERS = {
    "outcome": range(1, len(Outcome.values())),
    "usage_source": range(len(UsageSource.values())),
    "http_status": limits.HTTP_STATUSES,
    "streamed": _ANY,
    **{
        name: _INT32 if Log.DESCRIPTOR.fields_by_name[name].type == FieldDescriptor.TYPE_INT32 else _ANY
        for name in rules.COUNTS
    },
}
cdef uint64_t number_begin[FIELDS]  # the first number that is allowed
cdef uint64_t number_end[FIELDS]  # the first that no longer is; 0 where the field is no number
memset(number_begin, 0, sizeof(number_begin))
memset(number_end, 0, sizeof(number_end))
for _name, _range in _NUMBERS.items():
    number_begin[<int>_number_of[_name]] = _range.start
    number_end[<int>_number_of[_name]] = _range.stop


cdef struct Ids:
    uint64_t slots[SLOTS]


cdef inline bint _is_text(Reader r, Py_ssize_t min_bytes, Py_ssize_t limit) except -1:
    """Tell whether it is UTF-8 of a length that is provably right. Raises UnicodeDecodeError."""
    cdef Py_ssize_t size = r.end - r.at, at
    cdef uint8_t bits = 0
    if not r.sound or not min_bytes <= size <= limit:
        return False
    for at in range(size):
        bits |= r.at[at]
    if bits >= 0x80:
        PyUnicode_DecodeUTF8(<const char*>r.at, size, NULL)
    return True


cdef bint _is_lower_hex(Reader r) noexcept:
    cdef Py_ssize_t at
    for at in range(r.end - r.at):
        if hex_digit(r.at[at]) < 0:
            return False
    return True


cdef bint _has_no_upper_case(Reader r) noexcept:
    cdef Py_ssize_t at
    for at in range(r.end - r.at):
        if c'A' <= r.at[at] <= c'Z' or r.at[at] >= 0x80:
            return False
    return True


cdef bint _is_new_uuid(Reader r, Ids* ids) noexcept:
    """Tell whether it is a lower-case UUID that this batch did not have before."""
    cdef uint64_t key = 0
    cdef int at, digit, slot
    if r.end - r.at != 36:
        return False
    for at in range(36):
        if at == 8 or at == 13 or at == 18 or at == 23:
            if r.at[at] != c'-':
                return False
            continue
        digit = hex_digit(r.at[at])
        if digit < 0:
            return False
        key = (key ^ <uint64_t>digit) * FNV_PRIME  # FNV-1a
    key |= 1  # 0 marks a free slot
    slot = (key >> 40) % SLOTS
    while ids.slots[slot]:
        if ids.slots[slot] == key:
            return False
        slot = (slot + 1) % SLOTS
    ids.slots[slot] = key
    return True


cdef inline bint _is_before(TimeValue first, TimeValue second) noexcept:
    return first.seconds < second.seconds or (first.seconds == second.seconds and first.nanos < second.nanos)


cdef bint _is_pair(Reader r) except -1:
    """Tell whether it is an entry of metadata: key, then value."""
    if varint(&r) != (1 << 3 | BYTES) or not _is_text(take(&r), 1, MAX_KEY_CHARS):
        return False
    if varint(&r) != (2 << 3 | BYTES) or not _is_text(take(&r), 0, MAX_VALUE_CHARS):
        return False
    return r.sound and r.at == r.end


cdef inline bint _is_in(int field, uint64_t fields) noexcept:
    return (fields >> field) & 1


cdef inline bint _is_number(int field, uint64_t value) noexcept:
    return number_begin[field] <= value < number_end[field]


cdef bint _is_known_text(int field, Reader r, Ids* ids) except -1:
    if not _is_text(r, _is_in(field, REQUIRED_TEXTS), max_bytes[field]):
        return False
    if field == LOG_ID:
        return _is_new_uuid(r, ids)
    if _is_in(field, LOWER_CASE):
        return _has_no_upper_case(r)
    if _is_in(field, HEX) and r.at != r.end:
        return r.end - r.at == max_bytes[field] and _is_lower_hex(r)
    return True


cdef bint _keeps_rules(Reader r, TimeValue latest, Ids* ids) except -1:
    cdef TimeValue times[FIELDS]
    cdef Reader part
    cdef uint64_t seen = 0, tag
    cdef int field, pairs = 0, tags = 0
    cdef bint good
    while r.at < r.end:
        tag = varint(&r)
        if not r.sound or tag >> 3 >= FIELDS:
            return False
        field = tag >> 3
        if _is_in(field, seen & ~REPEATED):
            return False
        seen |= <uint64_t>1 << field
        if tag & 7 == VARINT:
            good = _is_number(field, varint(&r))
        elif tag & 7 == BYTES:
            part = take(&r)
            if not part.sound:
                return False
            if max_bytes[field]:
                good = _is_known_text(field, part, ids)
            elif field == METADATA:
                pairs += 1
                good = pairs <= MAX_PAIRS and _is_pair(part)
            elif field == TAGS:
                tags += 1
                good = tags <= MAX_TAGS and _is_text(part, 1, MAX_TAG_CHARS)
            elif _is_in(field, TIMES):
                good = read_time(part, MAX_TIMESTAMP_S, &times[field])
            else:
                good = _is_in(field, DURATIONS) and read_time(part, LONGEST.seconds, &times[field])
        else:
            good = False
        if not good or not r.sound:
            return False
    return (seen & REQUIRED) == REQUIRED and _in_order(times, seen, latest)


cdef bint _in_order(TimeValue* times, uint64_t seen, TimeValue latest) noexcept:
    cdef TimeValue first = times[START_TIME]
    cdef int field
    for field in (START_TIME, FIRST_TOKEN_TIME, END_TIME):
        if _is_in(field, seen) and _is_before(latest, times[field]):
            return False
    for field in (LATENCY, TTFT):
        if _is_in(field, seen) and _is_before(LONGEST, times[field]):
            return False
    if _is_in(FIRST_TOKEN_TIME, seen):
        if _is_before(times[FIRST_TOKEN_TIME], first):
            return False
        first = times[FIRST_TOKEN_TIME]
    if _is_in(END_TIME, seen) and _is_before(times[END_TIME], first):
        return False
    return not (_is_in(TTFT, seen) and _is_in(LATENCY, seen) and _is_before(times[LATENCY], times[TTFT]))


def scan_logs(bytes data, double now_s):
    """See codec.scan.scan_logs(). None also in doubt."""
    cdef const uint8_t* start = data
    cdef const uint8_t* begin
    cdef Reader r, part
    cdef uint64_t tag
    cdef TimeValue latest
    cdef Ids ids
    cdef int count = 0
    cdef list others = []
    r = reader_of(start, len(data))
    latest.seconds, latest.nanos = <int64_t>now_s + AHEAD_S, 0
    memset(&ids, 0, sizeof(ids))
    try:
        while r.at < r.end:
            begin = r.at
            tag, part = varint(&r), take(&r)
            if not part.sound or tag & 7 != BYTES:
                return None
            if tag >> 3 == LOGS:
                count += 1
                if count > MAX_LOGS or not _keeps_rules(part, latest, &ids):
                    return None
            else:
                others.append(data[begin - start : r.at - start])
    except UnicodeDecodeError:
        return None
    return count, b"".join(others)
