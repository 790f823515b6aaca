# cython: language_level=3, wraparound=False, boundscheck=False
"""Groups logs as analytics.log_grouper does, in C."""

import json

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, qsort, realloc

from analytics._log_digests import pack_group
from analytics._packed_counts import pack_buckets

cdef enum:
    FIRST_ROOM = 1024
    NAMES = 4  # of a log: user, session, release and tags

cdef int64_t MAX_SUM = 0x7FFFFFFFFFFFFFFF


cdef struct _Bucket:
    int32_t group
    int32_t bucket


cdef int _compare(const void* one, const void* other) noexcept nogil:
    cdef const _Bucket* a = <const _Bucket*>one
    cdef const _Bucket* b = <const _Bucket*>other
    if a.group != b.group:
        return 1 if a.group > b.group else -1
    return (a.bucket > b.bucket) - (a.bucket < b.bucket)


cdef class _Buckets:
    """Buckets of groups."""

    cdef _Bucket* of
    cdef size_t size, room, at

    cdef int add(self, int32_t group, int32_t bucket) except -1:
        if self.size == self.room:
            self.room = 2 * self.room + FIRST_ROOM
            grown = realloc(self.of, self.room * sizeof(_Bucket))
            if grown == NULL:
                raise MemoryError
            self.of = <_Bucket*>grown
        self.of[self.size] = _Bucket(group, bucket)
        self.size += 1
        return 0

    cdef void sort(self) noexcept nogil:
        if self.size:
            qsort(self.of, self.size, sizeof(_Bucket), _compare)

    cdef bytes pack(self, int32_t group):
        """Return the packed counts of a group, once they are sorted."""
        cdef size_t low = 0, high = self.size, middle, end
        cdef list pairs = []
        while low < high:
            middle = (low + high) // 2
            if self.of[middle].group < group:
                low = middle + 1
            else:
                high = middle
        while low < self.size and self.of[low].group == group:
            end = low + 1
            while end < self.size and self.of[end].group == group and self.of[end].bucket == self.of[low].bucket:
                end += 1
            pairs.append((self.of[low].bucket, end - low))
            low = end
        return pack_buckets(pairs) if pairs else b""

    def __dealloc__(self):
        free(self.of)


cdef class _Groups:
    """Groups of one dimension, with their sums."""

    cdef dict numbers
    cdef int64_t* sums
    cdef Py_ssize_t sum_count, room
    cdef _Buckets first, second

    def __cinit__(self, Py_ssize_t sum_count):
        self.numbers = {}
        self.sum_count = sum_count
        self.first, self.second = _Buckets(), _Buckets()

    def __dealloc__(self):
        free(self.sums)

    cdef int add(self, name, const int64_t* values, int first, int second) except -1:
        cdef object known = self.numbers.get(name)
        cdef Py_ssize_t number, place
        cdef int64_t* sums
        if known is None:
            number = len(self.numbers)
            if number == self.room:
                self.room = 2 * self.room + 64
                grown = realloc(self.sums, self.room * self.sum_count * sizeof(int64_t))
                if grown == NULL:
                    raise MemoryError
                self.sums = <int64_t*>grown
            for place in range(self.sum_count):
                self.sums[number * self.sum_count + place] = 0
            self.numbers[name] = number
        else:
            number = known
        sums = self.sums + number * self.sum_count
        for place in range(self.sum_count):
            if values[place] > 0 and sums[place] > MAX_SUM - values[place]:
                sums[place] = MAX_SUM
            else:
                sums[place] += values[place]
        if first >= 0:
            self.first.add(number, first)
        if second >= 0:
            self.second.add(number, second)
        return 0

    cdef pack(self):
        cdef list groups = [], details = [], named
        cdef bytes before = b""
        cdef Py_ssize_t number, place
        self.first.sort()
        self.second.sort()
        named = [(-self.sums[<Py_ssize_t>number * self.sum_count], name.encode(), number)
                 for name, number in self.numbers.items()]
        named.sort()
        for _, name, number in named:
            sums = [self.sums[number * self.sum_count + place] for place in range(self.sum_count)]
            entry, record = pack_group(before, name, sums, self.first.pack(number), self.second.pack(number))
            groups.append(entry)
            details.append(record)
            before = name
        return len(named), b"".join(groups), b"".join(details)


cdef class LogGrouper:
    """See analytics.log_grouper.LogGrouper."""

    cdef list groups
    cdef Py_ssize_t sum_count

    def __cinit__(self, Py_ssize_t sum_count):
        if sum_count > 63:
            raise ValueError("a digest has at most 63 sums")
        self.sum_count = sum_count
        self.groups = [_Groups(sum_count) for _ in range(NAMES)]

    def add(self, logs):
        """See analytics.log_grouper.LogGrouper.add()."""
        cdef int64_t values[64]
        cdef Py_ssize_t place
        cdef int first, second
        cdef _Groups users = self.groups[0], sessions = self.groups[1], releases = self.groups[2], tags = self.groups[3]
        for log in logs:
            user, session, release, text, latency, ttft, *sums = log
            if len(sums) != self.sum_count:
                raise ValueError("a log has other sums")
            for place in range(self.sum_count):
                values[place] = sums[place]
            first = -1 if latency is None else latency
            second = -1 if ttft is None else ttft
            if users is not None:
                users.add(user, values, first, second)
            if sessions is not None:
                sessions.add(session, values, first, second)
            if releases is not None:
                releases.add(release, values, first, second)
            if tags is not None:
                for name in ("",) if text is None else set(json.loads(text)):
                    tags.add(name, values, first, second)

    def drop_large(self, size_t max_groups):
        """See analytics.log_grouper.LogGrouper.drop_large()."""
        cdef _Groups each
        for place in range(NAMES):
            each = self.groups[place]
            if each is not None and len(each.numbers) > max_groups:
                self.groups[place] = None

    def pack(self, int place):
        """See analytics.log_grouper.LogGrouper.pack()."""
        cdef _Groups groups = self.groups[place]
        return None if groups is None else groups.pack()
