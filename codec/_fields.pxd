"""The fields of a log, as they are read off its bytes."""

from libc.stdint cimport int64_t, uint64_t

from codec._wire cimport Reader, TimeValue

cdef enum:
    FIELDS = 64
    MAX_PAIRS = 50
    MAX_TAGS = 20


cdef int64_t MAX_BIGINT  # the first number that is unusual: the sums of a transaction's logs fit into 64 bits


cdef struct Pair:
    Reader key
    Reader value


cdef struct Fields:
    uint64_t seen  # a bit for each field that was there
    uint64_t numbers[FIELDS]
    TimeValue times[FIELDS]
    Reader texts[FIELDS]
    Pair pairs[MAX_PAIRS]  # of metadata
    Reader tags[MAX_TAGS]
    int pair_count
    int tag_count


cdef inline bint has(const Fields* fields, int field) noexcept:
    return (fields.seen >> field) & 1


cdef int read_fields(Reader r, Fields* into, object redactor, list kept) except -1
cdef str text_of(Reader r)
