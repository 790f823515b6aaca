# cython: language_level=3, wraparound=False, boundscheck=False
"""Packs and counts buckets as analytics.packed_counts does, in C; counts without the interpreter's lock."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.math cimport floor
from libc.stdlib cimport calloc, free

cdef enum:
    BUCKETS = 1 << 16
    PAIR_BYTES = 12  # most bytes of a bucket and its count


cdef int _find_range(const uint8_t* at, const uint8_t* end, int* first, int* last) noexcept nogil:
    """Find the first and the last bucket; False where the bytes end too early."""
    cdef int bucket, size
    first[0], last[0] = BUCKETS, -1
    while at < end:
        if end - at < 3:
            return False
        bucket = at[0] << 8 | at[1]
        at += 2
        size = 1
        while at[0] >= 0x80:
            at += 1
            size += 1
            if at == end or size > 10:
                return False
        at += 1
        first[0] = min(first[0], bucket)
        last[0] = max(last[0], bucket)
    return True


cdef void _count(const uint8_t* at, const uint8_t* end, int first, int64_t* counts) noexcept nogil:
    """Add up counts by bucket, of bytes that _find_range() has passed."""
    cdef int bucket, shift
    cdef uint64_t value
    while at < end:
        bucket = at[0] << 8 | at[1]
        at += 2
        value, shift = at[0] & 0x7F, 7
        while at[0] >= 0x80:
            at += 1
            value |= <uint64_t>(at[0] & 0x7F) << shift
            shift += 7
        at += 1
        counts[bucket - first] += <int64_t>(value >> 1) ^ -<int64_t>(value & 1)


cdef class _Counts:
    """Counts by bucket, of packed bytes, from the first bucket to the last."""

    cdef int64_t* of
    cdef int first
    cdef int size

    def __cinit__(self, bytes data not None):
        cdef const uint8_t* start = data
        cdef const uint8_t* end = start + len(data)
        cdef int sound, last
        with nogil:
            sound = _find_range(start, end, &self.first, &last)
        if not sound:
            raise ValueError("packed counts end too early")
        self.size = max(0, last - self.first + 1)
        self.of = <int64_t*>calloc(max(1, self.size), sizeof(int64_t))
        if self.of == NULL:
            raise MemoryError
        with nogil:
            _count(start, end, self.first, self.of)

    def __dealloc__(self):
        free(self.of)


def pack_buckets(counts):
    """See analytics.packed_counts.pack_buckets()."""
    cdef list pairs = list(counts)
    cdef bytearray data = bytearray(PAIR_BYTES * len(pairs))
    cdef uint8_t* at = <uint8_t*><char*>data
    cdef uint8_t* start = at
    cdef uint16_t bucket
    cdef int64_t count
    cdef uint64_t value
    for pair in pairs:
        bucket, count = pair
        at[0], at[1] = bucket >> 8, bucket & 0xFF
        at += 2
        value = (<uint64_t>count << 1) ^ <uint64_t>(count >> 63)
        while value > 0x7F:
            at[0] = value & 0x7F | 0x80
            at += 1
            value >>= 7
        at[0] = value
        at += 1
    return bytes(data[: at - start])


def count_buckets(bytes data not None):
    """See analytics.packed_counts.count_buckets()."""
    cdef _Counts counts = _Counts(data)
    cdef int place
    return [(counts.first + place, counts.of[place]) for place in range(counts.size) if counts.of[place]]


def find_quantiles(bytes data not None, fractions):
    """See analytics.packed_counts.find_quantiles()."""
    cdef _Counts counts = _Counts(data)
    cdef int64_t total = 0, seen = 0, rank
    cdef int index, place = -1
    cdef double fraction
    cdef list found = []
    for index in range(counts.size):
        total += counts.of[index]
    if total <= 0:
        return found
    for fraction in fractions:
        rank = <int64_t>floor(fraction * <double>(total - 1))
        while seen <= rank and place + 1 < counts.size:
            place += 1
            seen += counts.of[place]
        found.append(counts.first + place)
    return found
