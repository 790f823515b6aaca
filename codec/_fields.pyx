# cython: language_level=3, wraparound=False
"""Reads a Log's wire format, its texts redacted.

It reads the common case. Anything else, such as a field that is unknown or comes twice, or a number so large that
sums might overflow, it leaves to the message and codec.rows.
"""

from libc.stdint cimport int64_t, uint64_t, uint8_t
from libc.string cimport memchr, memset

from codec._plain_text cimport suspects
from codec._wire cimport BYTES, VARINT, Reader, hex_digit, read_time, take, varint

from llm_observe import limits, screening
from llm_observe.v1.log_pb2 import Log

from codec import rows
from storage.columns import LOG_COLUMNS

cdef enum:
    MAX_ID_BYTES = 64

cdef int64_t MAX_TIMESTAMP_S = 253_402_300_799  # the end of year 9999
cdef int64_t MAX_DURATION_S = 1 << 27  # as MAX_BIGINT
MAX_BIGINT = 1 << 47
cdef uint64_t MAX_INTEGER = 1 << 31
cdef int MAX_KEY_CHARS = limits.MAX_METADATA_KEY_CHARS
cdef int MAX_VALUE_CHARS = limits.MAX_METADATA_VALUE_CHARS
cdef int MAX_TAG_CHARS = limits.MAX_TAG_CHARS
cdef int ALL_DETECTORS = screening.ALL_BITS
if limits.MAX_METADATA_PAIRS > MAX_PAIRS or limits.MAX_TAGS > MAX_TAGS:
    raise ImportError("more pairs or tags than there is room for")

_number_of = {field.name: field.number for field in Log.DESCRIPTOR.fields}
_name_of = {number: name for name, number in _number_of.items()}
_type_of = {column.name: column.type for column in LOG_COLUMNS}
cdef int LOG_ID = _number_of["log_id"]
cdef int OUTCOME = _number_of["outcome"]
cdef int USAGE_SOURCE = _number_of["usage_source"]
cdef int METADATA = _number_of["metadata"]
cdef int TAGS = _number_of["tags"]


cdef uint64_t _set_of(names) except? 0:
    """Return a bit for each field."""
    cdef uint64_t bits = 0
    cdef int number
    for number in map(_number_of.__getitem__, names):
        bits |= <uint64_t>1 << number
    return bits


cdef int max_chars[FIELDS]  # of a text that is redacted; 0 for other fields
cdef uint64_t end_of[FIELDS]  # the first number that is unusual; 0 for other fields
memset(max_chars, 0, sizeof(max_chars))
memset(end_of, 0, sizeof(end_of))
for _name, _max in limits.MAX_TEXT_CHARS.items():
    max_chars[<int>_number_of[_name]] = _max
for _name in rows.NUMBERS:
    end_of[<int>_number_of[_name]] = MAX_INTEGER if _type_of[_name] == "integer" else MAX_BIGINT
for _name in rows.FLAGS:
    end_of[<int>_number_of[_name]] = 2
end_of[OUTCOME] = len(rows.OUTCOMES)
end_of[USAGE_SOURCE] = len(rows.USAGE_SOURCES)
cdef uint64_t IDS = _set_of(set(rows.TEXTS) - limits.MAX_TEXT_CHARS.keys())  # texts that are not redacted
cdef uint64_t TIMES = _set_of(rows.TIMES)
cdef uint64_t DURATIONS = _set_of(rows.DURATIONS)
cdef uint64_t REPEATED = _set_of(["metadata", "tags"])
cdef uint64_t NEEDED = _set_of(["log_id", "start_time"])


cdef inline bint _is_in(int field, uint64_t fields) noexcept:
    return (fields >> field) & 1


cdef bint _is_ascii(Reader r) noexcept:
    while r.at < r.end:
        if r.at[0] == 0 or r.at[0] >= 0x80:
            return False
        r.at += 1
    return True


cdef bint _is_uuid(Reader r) noexcept:
    """Tell whether it is a UUID in lower case, which the Redactor leaves alone."""
    cdef int at
    if r.end - r.at != 36:
        return False
    for at in range(36):
        if at == 8 or at == 13 or at == 18 or at == 23:
            if r.at[at] != c'-':
                return False
        elif hex_digit(r.at[at]) < 0:
            return False
    return True


cdef struct Redaction:
    bint done
    bint standard  # by built-in rules only
    int detectors  # that are used


cdef inline int _suspects(Reader r, int limit, const Redaction* redaction) except -1:
    """Return the detectors that have to look at a text; 0 where it provably stays as it is."""
    if redaction.done:
        return ALL_DETECTORS if memchr(r.at, 0, r.end - r.at) != NULL else 0
    return suspects(r.at, r.end - r.at, limit) & redaction.detectors if redaction.standard else ALL_DETECTORS


cdef int _replace(Reader* r, str text, str redacted, list kept) except -1:
    """Have the reader read the redacted text."""
    cdef bytes data
    if redacted == text:
        return 0
    data = redacted.encode()
    kept.append(data)
    r.at = data
    r.end = r.at + len(data)
    return 0


cdef str text_of(Reader r):
    return (<const char*>r.at)[: r.end - r.at].decode()


cdef int _read_text(int field, Reader r, Fields* into, redactor, const Redaction* redaction, list kept) except -1:
    cdef int detectors
    cdef str text
    if field == LOG_ID:
        if not _is_uuid(r):
            return False
    elif _is_in(field, IDS):
        if r.end - r.at > MAX_ID_BYTES or not _is_ascii(r):
            return False
    elif not max_chars[field]:
        return False
    elif r.at != r.end and not (r.end - r.at <= max_chars[field] and _is_uuid(r)):
        detectors = _suspects(r, max_chars[field], redaction)
        if detectors:
            if redaction.done:
                return False
            text = text_of(r)
            _replace(&r, text, redactor.redact_field(_name_of[field], text, detectors), kept)
    into.texts[field] = r
    return True


cdef int _read_pair(Reader r, Fields* into, redactor, const Redaction* redaction, list kept) except -1:
    cdef Pair pair
    cdef int detectors
    cdef str text
    if into.pair_count == MAX_PAIRS or varint(&r) != (1 << 3 | BYTES):
        return False
    pair.key = take(&r)
    if varint(&r) != (2 << 3 | BYTES):
        return False
    pair.value = take(&r)
    # Of keys that are redacted, two may become one: the message knows which value counts then.
    if not r.sound or r.at != r.end or pair.key.at == pair.key.end:
        return False
    if _suspects(pair.key, MAX_KEY_CHARS, redaction):
        return False
    detectors = _suspects(pair.value, MAX_VALUE_CHARS, redaction)
    if detectors:
        if redaction.done:
            return False
        text = text_of(pair.value)
        _replace(&pair.value, text, redactor.preview(text, MAX_VALUE_CHARS, detectors), kept)
    into.pairs[into.pair_count] = pair
    into.pair_count += 1
    return True


cdef int _read_tag(Reader r, Fields* into, redactor, const Redaction* redaction, list kept) except -1:
    cdef int detectors
    cdef str text
    if into.tag_count == MAX_TAGS or r.at == r.end:
        return False
    detectors = _suspects(r, MAX_TAG_CHARS, redaction)
    if detectors:
        if redaction.done:
            return False
        text = text_of(r)
        _replace(&r, text, redactor.preview(text, MAX_TAG_CHARS, detectors), kept)
    into.tags[into.tag_count] = r
    into.tag_count += 1
    return True


cdef int _read_part(int field, Reader part, Fields* into, redactor, const Redaction* redaction, list kept) except -1:
    if _is_in(field, TIMES):
        return read_time(part, MAX_TIMESTAMP_S, &into.times[field])
    if _is_in(field, DURATIONS):
        return read_time(part, MAX_DURATION_S, &into.times[field])
    if field == METADATA:
        return _read_pair(part, into, redactor, redaction, kept)
    if field == TAGS:
        return _read_tag(part, into, redactor, redaction, kept)
    return _read_text(field, part, into, redactor, redaction, kept)


cdef int read_fields(Reader r, Fields* into, object redactor, list kept) except -1:
    """Read a Log; False where it is not the common case. Raises UnicodeDecodeError.

    Args:
        r: Its bytes.
        into: Its texts lie in those bytes and in what is kept.
        redactor: Redacts texts that need it; None if that is done.
        kept: Takes texts that were redacted.
    """
    cdef uint64_t tag
    cdef int field
    cdef Reader part
    cdef Redaction redaction
    redaction.done = redactor is None
    redaction.standard = redactor is not None and redactor.is_standard
    redaction.detectors = 0 if redactor is None else redactor.detectors
    memset(into.texts, 0, sizeof(into.texts))  # empty where they are absent
    into.seen = into.pair_count = into.tag_count = 0
    while r.at < r.end:
        tag = varint(&r)
        if not r.sound or tag >> 3 >= FIELDS:
            return False
        field = tag >> 3
        if _is_in(field, into.seen & ~REPEATED):
            return False
        into.seen |= <uint64_t>1 << field
        if tag & 7 == VARINT:
            into.numbers[field] = varint(&r)
            if into.numbers[field] >= end_of[field]:
                return False
        elif tag & 7 == BYTES:
            part = take(&r)
            if not part.sound or not _read_part(field, part, into, redactor, &redaction, kept):
                return False
        else:
            return False
    if not has(into, OUTCOME):
        into.numbers[OUTCOME] = 0
    if not has(into, USAGE_SOURCE):
        into.numbers[USAGE_SOURCE] = 0
    return r.sound and (into.seen & NEEDED) == NEEDED
