"""What a log says, as it is read off its bytes."""

from libc.stdint cimport uint64_t

from codec._wire cimport Moment, Reader

cdef enum:
    FIELDS = 64
    PAIRS_MOST = 50
    TAGS_MOST = 20


cdef struct Pair:
    Reader key
    Reader value


cdef struct Fields:
    uint64_t seen  # a bit for each field that was there
    uint64_t numbers[FIELDS]
    Moment moments[FIELDS]
    Reader texts[FIELDS]
    Pair pairs[PAIRS_MOST]  # of metadata
    Reader tags[TAGS_MOST]
    int pair_count
    int tag_count


cdef inline bint has(const Fields* fields, int field) noexcept:
    return (fields.seen >> field) & 1


cdef int read_fields(Reader r, Fields* into, object redactor, list kept) except -1
