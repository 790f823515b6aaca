# cython: language_level=3, wraparound=False
"""Reads a Log's wire format, its texts redacted.

It reads logs that are as usual. What is not, such as a field that is unknown or comes twice, or a number so large
that sums might not fit, it leaves to the message and codec.rows.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memset

from codec._plain_text cimport is_plain
from codec._wire cimport BYTES, VARINT, Reader, hex_digit, read_moment, take, varint

from llm_observe import limits
from llm_observe.v1.log_pb2 import Log

from codec.rows import TOKEN_COUNTS

cdef enum:
    ID_MOST = 64

cdef int64_t SECONDS_MOST = 253_402_300_799  # the end of year 9999
cdef int64_t DURATION_MOST = 1 << 27  # seconds: the sums of a transaction's logs fit into a bigint
cdef uint64_t COUNT_MOST = 1 << 47  # likewise
cdef int KEY_MOST = limits.MAX_METADATA_KEY_CHARS
cdef int VALUE_MOST = limits.MAX_METADATA_VALUE_CHARS
cdef int TAG_MOST = limits.MAX_TAG_CHARS
if limits.MAX_METADATA_PAIRS > PAIRS_MOST or limits.MAX_TAGS > TAGS_MOST:
    raise ImportError("more pairs or tags than there is room for")

_number_of = {field.name: field.number for field in Log.DESCRIPTOR.fields}
_name_of = {number: name for name, number in _number_of.items()}
cdef int LOG_ID = _number_of["log_id"]
cdef int OUTCOME = _number_of["outcome"]
cdef int USAGE_SOURCE = _number_of["usage_source"]
cdef int HTTP_STATUS = _number_of["http_status"]
cdef int STREAMED = _number_of["streamed"]
cdef int METADATA = _number_of["metadata"]
cdef int TAGS = _number_of["tags"]


cdef uint64_t _set_of(names) except? 0:
    """Return a bit for each field."""
    cdef uint64_t bits = 0
    cdef int number
    for number in map(_number_of.__getitem__, names):
        bits |= <uint64_t>1 << number
    return bits


cdef int text_most[FIELDS]  # characters that a text may have; 0 where the field is none that is redacted
memset(text_most, 0, sizeof(text_most))
for _name, _most in limits.MAX_TEXT_CHARS.items():
    text_most[<int>_number_of[_name]] = _most
cdef uint64_t IDS = _set_of(["trace_id", "span_id", "parent_span_id"])
cdef uint64_t COUNTS = _set_of(TOKEN_COUNTS)
cdef uint64_t TIMES = _set_of(["start_time", "first_token_time", "end_time"])
cdef uint64_t DURATIONS = _set_of(["latency", "time_to_first_token"])
cdef uint64_t REPEATED = _set_of(["metadata", "tags"])
cdef uint64_t NEEDED = _set_of(["log_id", "start_time"])


cdef inline bint _is_in(int field, uint64_t those) noexcept:
    return (those >> field) & 1


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
        if at in (8, 13, 18, 23):
            if r.at[at] != 45:
                return False
        elif hex_digit(r.at[at]) < 0:
            return False
    return True


cdef inline bint _is_redacted(Reader r, int most, redactor, bint standard) except -1:
    """Tell whether a text surely stays as it is; without a redactor all do."""
    if redactor is None:
        return memchr(r.at, 0, r.end - r.at) == NULL
    return standard and is_plain(r.at, r.end - r.at, most)


cdef int _replace(Reader* r, str text, list kept) except -1:
    """Have the reader read another text."""
    cdef bytes data = text.encode()
    kept.append(data)
    r.at = data
    r.end = r.at + len(data)
    return 0


cdef str _decode(Reader r):
    return (<const char*>r.at)[: r.end - r.at].decode()


cdef int _read_text(int field, Reader r, Fields* into, redactor, bint standard, list kept) except -1:
    if field == LOG_ID:
        if not _is_uuid(r):
            return False
    elif _is_in(field, IDS):
        if r.end - r.at > ID_MOST or not _is_ascii(r):
            return False
    elif not text_most[field]:
        return False
    elif r.at != r.end and not _is_uuid(r) and not _is_redacted(r, text_most[field], redactor, standard):
        if redactor is None:
            return False
        _replace(&r, redactor.redact_field(_name_of[field], _decode(r)), kept)
    into.texts[field] = r
    return True


cdef int _read_pair(Reader r, Fields* into, redactor, bint standard, list kept) except -1:
    cdef Pair pair
    if into.pair_count == PAIRS_MOST or varint(&r) != (1 << 3 | BYTES):
        return False
    pair.key = take(&r)
    if varint(&r) != (2 << 3 | BYTES):
        return False
    pair.value = take(&r)
    # Of keys that are redacted, two may become one: which value counts then, the message knows.
    if not r.sound or r.at != r.end or pair.key.at == pair.key.end:
        return False
    if not _is_redacted(pair.key, KEY_MOST, redactor, standard):
        return False
    if not _is_redacted(pair.value, VALUE_MOST, redactor, standard):
        if redactor is None:
            return False
        _replace(&pair.value, redactor.preview(_decode(pair.value)), kept)
    into.pairs[into.pair_count] = pair
    into.pair_count += 1
    return True


cdef int _read_tag(Reader r, Fields* into, redactor, bint standard, list kept) except -1:
    if into.tag_count == TAGS_MOST or r.at == r.end:
        return False
    if not _is_redacted(r, TAG_MOST, redactor, standard):
        if redactor is None:
            return False
        _replace(&r, redactor.preview(_decode(r), TAG_MOST), kept)
    into.tags[into.tag_count] = r
    into.tag_count += 1
    return True


cdef int _read_part(int field, Reader part, Fields* into, redactor, bint standard, list kept) except -1:
    if _is_in(field, TIMES):
        return read_moment(part, SECONDS_MOST, &into.moments[field])
    if _is_in(field, DURATIONS):
        return read_moment(part, DURATION_MOST, &into.moments[field])
    if field == METADATA:
        return _read_pair(part, into, redactor, standard, kept)
    if field == TAGS:
        return _read_tag(part, into, redactor, standard, kept)
    return _read_text(field, part, into, redactor, standard, kept)


cdef bint _is_number(int field, uint64_t value) noexcept:
    if field == OUTCOME or field == USAGE_SOURCE:
        return value <= 3
    if field == HTTP_STATUS:
        return value < 1000
    if field == STREAMED:
        return value <= 1
    return _is_in(field, COUNTS) and value < COUNT_MOST


cdef int read_fields(Reader r, Fields* into, object redactor, list kept) except -1:
    """Read a Log; False where something is not as usual. Raises UnicodeDecodeError.

    Args:
        r: Its bytes.
        into: Reads from those bytes and from what is kept.
        redactor: Redacts what may have to be; None if that is done.
        kept: Takes texts that were redacted.
    """
    cdef uint64_t tag
    cdef int field
    cdef Reader part
    cdef bint standard = redactor is not None and redactor.is_standard
    memset(into.texts, 0, sizeof(into.texts))  # empty where they are not there
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
            if not _is_number(field, into.numbers[field]):
                return False
        elif tag & 7 == BYTES:
            part = take(&r)
            if not part.sound or not _read_part(field, part, into, redactor, standard, kept):
                return False
        else:
            return False
    if not has(into, OUTCOME):
        into.numbers[OUTCOME] = 0
    if not has(into, USAGE_SOURCE):
        into.numbers[USAGE_SOURCE] = 0
    return r.sound and (into.seen & NEEDED) == NEEDED
