# cython: language_level=3, wraparound=False, boundscheck=False
"""Counts buckets as analytics.packed_counts does, in C and without the interpreter's lock."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free

from math import floor

cdef enum:
    BUCKETS = 1 << 16
    MAX_SHIFT = 63


cdef int _count(const uint8_t* at, const uint8_t* end, int64_t* counts, int* first, int* last) noexcept nogil:
    """Add up counts by bucket; False where the bytes end too early."""
    cdef int bucket, shift
    cdef uint64_t value
    while at < end:
        if end - at < 3:
            return False
        bucket = at[0] << 8 | at[1]
        at += 2
        value, shift = 0, 0
        while True:
            if at == end or shift > MAX_SHIFT:
                return False
            value |= <uint64_t>(at[0] & 0x7F) << shift
            at += 1
            if at[-1] < 0x80:
                break
            shift += 7
        counts[bucket] += <int64_t>(value >> 1) ^ -<int64_t>(value & 1)
        if bucket < first[0]:
            first[0] = bucket
        if bucket > last[0]:
            last[0] = bucket
    return True


cdef class _Counts:
    """Counts by bucket, of packed bytes."""

    cdef int64_t* of
    cdef int first
    cdef int last

    def __cinit__(self, bytes data not None):
        cdef const uint8_t* start = data
        cdef Py_ssize_t size = len(data)
        cdef int sound
        self.first, self.last = BUCKETS, -1
        self.of = <int64_t*>calloc(BUCKETS, sizeof(int64_t))
        if self.of == NULL:
            raise MemoryError
        with nogil:
            sound = _count(start, start + size, self.of, &self.first, &self.last)
        if not sound:
            raise ValueError("packed counts end too early")

    def __dealloc__(self):
        free(self.of)


def count_buckets(bytes data not None):
    """See analytics.packed_counts.count_buckets()."""
    cdef _Counts counts = _Counts(data)
    cdef int bucket
    return [(bucket, counts.of[bucket]) for bucket in range(counts.first, counts.last + 1) if counts.of[bucket]]


def find_quantiles(bytes data not None, fractions):
    """See analytics.packed_counts.find_quantiles()."""
    cdef _Counts counts = _Counts(data)
    cdef int64_t total = 0, seen = 0
    cdef int bucket
    cdef list ranks, found = []
    for bucket in range(counts.first, counts.last + 1):
        total += counts.of[bucket]
    if total <= 0:
        return found
    ranks = [floor(fraction * (total - 1)) for fraction in fractions]
    for bucket in range(counts.first, counts.last + 1):
        seen += counts.of[bucket]
        while len(found) < len(ranks) and seen > ranks[len(found)]:
            found.append(bucket)
    return found
