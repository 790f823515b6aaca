# cython: language_level=3, wraparound=False, boundscheck=False
"""Packs, ranks and adds up digests as analytics.log_digests does, in C; ranks without the interpreter's lock."""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport SIZE_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memmove

from analytics.log_digests import GroupEntry, RankedGroup

cdef enum:
    FIRST_ROOM = 1024
    VARINT_BYTES = 10
    HEAD = 1000  # groups of each digest that are ranked before those that follow are looked at

cdef int64_t MAX_SUM = 0x7FFFFFFFFFFFFFFF
cdef uint64_t SEED = int.from_bytes(os.urandom(8), "little")


cdef inline const uint8_t* _read(const uint8_t* at, const uint8_t* end, uint64_t* value) noexcept nogil:
    """Read a varint; return where the next one begins, or NULL where the bytes end too early."""
    cdef int shift = 0
    value[0] = 0
    while at < end and shift <= 63:
        value[0] |= <uint64_t>(at[0] & 0x7F) << shift
        if at[0] < 0x80:
            return at + 1
        at += 1
        shift += 7
    return NULL


cdef inline uint8_t* _write(uint8_t* at, uint64_t value) noexcept nogil:
    while value > 0x7F:
        at[0] = value & 0x7F | 0x80
        at += 1
        value >>= 7
    at[0] = value
    return at + 1


def pack_group(bytes before not None, bytes name not None, sums, bytes first_count not None,
               bytes second_count not None):
    """See analytics.log_digests.pack_group()."""
    cdef list numbers = list(sums)
    cdef Py_ssize_t first_size = len(first_count), second_size = len(second_count), shared = 0, rest, most
    cdef uint64_t mask = 0, requests = numbers[0]
    cdef int64_t number
    cdef int place
    for place in range(len(numbers)):
        if numbers[place]:
            mask |= <uint64_t>1 << place
    cdef bytearray data = bytearray(VARINT_BYTES * (len(numbers) + 2) + first_size + second_size)
    cdef uint8_t* start = <uint8_t*><char*>data
    cdef uint8_t* at = _write(start, mask)
    for place in range(len(numbers)):
        if mask >> place & 1:
            number = numbers[place]
            at = _write(at, (<uint64_t>number << 1) ^ <uint64_t>(number >> 63))
    at = _write(at, first_size)
    memcpy(at, <const char*>first_count, first_size)
    at += first_size
    memcpy(at, <const char*>second_count, second_size)
    record = bytes(data[: at + second_size - start])

    cdef const char* old = before
    cdef const char* new = name
    most = min(len(before), len(name))
    while shared < most and old[shared] == new[shared]:
        shared += 1
    rest = len(name) - shared
    data = bytearray(4 * VARINT_BYTES + rest)
    start = <uint8_t*><char*>data
    at = _write(_write(start, shared), rest)
    memcpy(at, new + shared, rest)
    at = _write(_write(at + rest, requests), len(record))
    return bytes(data[: at - start]), record


cdef class _Reader:
    """Reads the groups of a digest one by one; keeps the name of the last one."""

    cdef const uint8_t* at
    cdef const uint8_t* end
    cdef uint8_t* name
    cdef size_t name_size
    cdef size_t room
    cdef uint64_t count
    cdef uint64_t size
    cdef uint64_t first  # where the record of the next one begins
    cdef bytes groups

    cdef void open(self, bytes groups):
        self.groups = groups  # whose bytes stay where they are
        self.at = <const uint8_t*>PyBytes_AS_STRING(groups)
        self.end = self.at + PyBytes_GET_SIZE(groups)
        self.name_size = 0
        self.first = 0

    cdef int next(self) noexcept nogil:
        """Read the next group; return 0 where the bytes end too early, and -1 where there is no memory."""
        cdef uint64_t shared, rest
        cdef const uint8_t* at = _read(self.at, self.end, &shared)
        if at == NULL or shared > self.name_size:
            return 0
        at = _read(at, self.end, &rest)
        if at == NULL or rest > <uint64_t>(self.end - at):
            return 0
        if shared + rest > self.room:
            self.room = 2 * (shared + rest)
            grown = <uint8_t*>realloc(self.name, self.room)
            if grown == NULL:
                return -1
            self.name = grown
        if rest:
            memcpy(self.name + shared, at, rest)
        self.name_size = shared + rest
        at = _read(at + rest, self.end, &self.count)
        if at == NULL:
            return 0
        at = _read(at, self.end, &self.size)
        if at == NULL:
            return 0
        self.at = at
        return 1

    def __dealloc__(self):
        free(self.name)


cdef _refuse(int sound):
    if sound < 0:
        raise MemoryError
    raise ValueError("a digest ends too early")


def read_groups(bytes groups not None):
    """See analytics.log_digests.read_groups()."""
    cdef _Reader reader = _Reader()
    cdef list found = []
    cdef int sound
    reader.open(groups)
    while reader.at < reader.end:
        sound = reader.next()
        if sound != 1:
            _refuse(sound)
        found.append(GroupEntry(reader.name[: reader.name_size] if reader.name_size else b"", reader.count, reader.size))
    return found


def add_up(records, int sum_count):
    """See analytics.log_digests.add_up()."""
    cdef int64_t sums[64]
    cdef list first = [], second = []
    cdef bytes record
    cdef const uint8_t* start
    cdef const uint8_t* at
    cdef const uint8_t* end
    cdef uint64_t mask, value
    cdef int64_t number
    cdef int place
    if sum_count > 63:
        raise ValueError("a digest has at most 63 sums")
    for place in range(sum_count):
        sums[place] = 0
    for record in records:
        start = <const uint8_t*>PyBytes_AS_STRING(record)
        end = start + PyBytes_GET_SIZE(record)
        at = _read(start, end, &mask)
        if at != NULL and mask >> sum_count:
            raise ValueError("a digest has other sums")
        for place in range(sum_count):
            if at != NULL and mask >> place & 1:
                at = _read(at, end, &value)
                number = <int64_t>(value >> 1) ^ -<int64_t>(value & 1)
                if number > 0 and sums[place] > MAX_SUM - number:
                    sums[place] = MAX_SUM
                else:
                    sums[place] += number
        if at != NULL:
            at = _read(at, end, &value)
        if at == NULL or value > <uint64_t>(end - at):
            raise ValueError("a digest ends too early")
        first.append(record[at - start : at - start + <Py_ssize_t>value])
        second.append(record[at - start + <Py_ssize_t>value :])
    return [sums[place] for place in range(sum_count)], b"".join(first), b"".join(second)


cdef struct _Group:
    uint64_t hash
    uint64_t count
    size_t name  # where it begins in _Table.names
    uint32_t name_size
    int32_t last_place  # its last record in _Table.places, or -1


cdef struct _Place:
    int32_t before  # the group's record before this one, or -1
    int32_t digest
    uint32_t first
    uint32_t size


cdef inline uint64_t _hash(const uint8_t* data, size_t size) noexcept nogil:
    """Hash a name by words of eight bytes, differently in each process: who chooses names cannot make them meet."""
    cdef uint64_t value = SEED ^ size, word
    while size >= 8:
        memcpy(&word, data, 8)
        value = (value ^ word) * 0x9E3779B97F4A7C15ULL
        value ^= value >> 29
        data += 8
        size -= 8
    word = 0
    if size:
        memcpy(&word, data, size)
    value = (value ^ word) * 0x9E3779B97F4A7C15ULL
    return value ^ (value >> 32)


cdef class _Table:
    """Adds up requests by name."""

    cdef _Group* groups
    cdef size_t group_count, group_room
    cdef int32_t* slots  # numbers of groups, or -1
    cdef size_t slot_count  # a power of two
    cdef uint8_t* names
    cdef size_t names_size, names_room
    cdef _Place* places
    cdef size_t place_count, place_room

    def __cinit__(self):
        self.slot_count = FIRST_ROOM
        self.slots = <int32_t*>calloc(self.slot_count, sizeof(int32_t))
        if self.slots == NULL:
            raise MemoryError
        for slot in range(self.slot_count):
            self.slots[slot] = -1

    def __dealloc__(self):
        free(self.groups)
        free(self.slots)
        free(self.names)
        free(self.places)

    cdef int _grow(self) noexcept nogil:
        """Make room for as many groups again."""
        cdef size_t wanted = 2 * self.slot_count, slot, number
        cdef int32_t* grown = <int32_t*>realloc(self.slots, wanted * sizeof(int32_t))
        if grown == NULL:
            return False
        self.slots, self.slot_count = grown, wanted
        for slot in range(wanted):
            grown[slot] = -1
        for number in range(self.group_count):
            slot = self.groups[number].hash & (wanted - 1)
            while grown[slot] >= 0:
                slot = (slot + 1) & (wanted - 1)
            grown[slot] = <int32_t>number
        return True

    cdef int64_t look_up(self, uint64_t hashed, const uint8_t* name, size_t size) noexcept nogil:
        """Return the number of a group, or -1 where there is none."""
        cdef size_t slot = hashed & (self.slot_count - 1)
        cdef _Group* group
        while self.slots[slot] >= 0:
            group = self.groups + self.slots[slot]
            if group.hash == hashed and group.name_size == size and (
                    not size or memcmp(self.names + group.name, name, size) == 0):
                return self.slots[slot]
            slot = (slot + 1) & (self.slot_count - 1)
        return -1

    cdef int64_t find(self, const uint8_t* name, size_t size) noexcept nogil:
        """Return the number of a group, which is added where it is new; -1 where there is no memory."""
        cdef uint64_t hashed = _hash(name, size)
        cdef int64_t number = self.look_up(hashed, name, size)
        cdef size_t slot
        if number >= 0:
            return number
        if 2 * (self.group_count + 1) > self.slot_count and not self._grow():
            return -1
        if not self._add(hashed, name, size):
            return -1
        slot = hashed & (self.slot_count - 1)
        while self.slots[slot] >= 0:
            slot = (slot + 1) & (self.slot_count - 1)
        self.slots[slot] = <int32_t>(self.group_count - 1)
        return self.group_count - 1

    cdef int _add(self, uint64_t hashed, const uint8_t* name, size_t size) noexcept nogil:
        cdef void* grown
        if self.group_count == self.group_room:
            self.group_room = 2 * self.group_room + FIRST_ROOM
            grown = realloc(self.groups, self.group_room * sizeof(_Group))
            if grown == NULL:
                return False
            self.groups = <_Group*>grown
        if self.names_size + size > self.names_room:
            self.names_room = 2 * self.names_room + size + 16 * FIRST_ROOM
            grown = realloc(self.names, self.names_room)
            if grown == NULL:
                return False
            self.names = <uint8_t*>grown
        if size:
            memcpy(self.names + self.names_size, name, size)
        self.groups[self.group_count] = _Group(hashed, 0, self.names_size, <uint32_t>size, -1)
        self.names_size += size
        self.group_count += 1
        return True

    cdef int add_place(self, _Group* group, _Reader reader, int32_t digest) noexcept nogil:
        """Add the group that a reader has read; return False where there is no memory."""
        cdef void* grown
        if self.place_count == self.place_room:
            self.place_room = 2 * self.place_room + FIRST_ROOM
            grown = realloc(self.places, self.place_room * sizeof(_Place))
            if grown == NULL:
                return False
            self.places = <_Place*>grown
        group.count += reader.count
        self.places[self.place_count] = _Place(
            group.last_place, digest, <uint32_t>reader.first, <uint32_t>reader.size)
        group.last_place = <int32_t>self.place_count
        self.place_count += 1
        return True

    cdef int add_digest(self, _Reader reader, int32_t digest, size_t most) noexcept nogil:
        """Add so many groups of a digest; return 1, or what _Reader.next() returns."""
        cdef int sound
        cdef int64_t number
        while reader.at < reader.end and most:
            most -= 1
            sound = reader.next()
            if sound != 1:
                return sound
            number = self.find(reader.name, reader.name_size)
            if number < 0 or not self.add_place(self.groups + number, reader, digest):
                return -1
            reader.first += reader.size
        return 1

    cdef int add_some(self, _Reader reader, int32_t digest, _Table chosen, size_t* numbers) noexcept nogil:
        """Add the rest of a digest, but only the groups of another table, of which numbers are those here."""
        cdef int sound
        cdef int64_t number
        while reader.at < reader.end:
            sound = reader.next()
            if sound != 1:
                return sound
            number = chosen.look_up(_hash(reader.name, reader.name_size), reader.name, reader.name_size)
            if number >= 0 and not self.add_place(self.groups + numbers[number], reader, digest):
                return -1
            reader.first += reader.size
        return 1

    cdef int comes_first(self, size_t one, size_t other) noexcept nogil:
        """Tell whether a group has more requests than another, or as many and the smaller name."""
        cdef _Group* a = self.groups + one
        cdef _Group* b = self.groups + other
        cdef int order
        if a.count != b.count:
            return a.count > b.count
        order = 0
        if min(a.name_size, b.name_size):
            order = memcmp(self.names + a.name, self.names + b.name, min(a.name_size, b.name_size))
        return order < 0 or (order == 0 and a.name_size < b.name_size)

    cdef size_t choose(self, size_t* best, size_t limit) noexcept nogil:
        """Write the numbers of the first groups, in order; return how many they are."""
        cdef size_t found = 0, number, low, high, middle
        for number in range(self.group_count):
            if found == limit and not self.comes_first(number, best[found - 1]):
                continue
            low, high = 0, found
            while low < high:
                middle = (low + high) // 2
                if self.comes_first(number, best[middle]):
                    high = middle
                else:
                    low = middle + 1
            if found < limit:
                found += 1
            memmove(best + low + 1, best + low, (found - 1 - low) * sizeof(size_t))
            best[low] = number
        return found

    cdef describe(self, size_t number):
        """Return a group."""
        cdef _Group* group = self.groups + number
        cdef int32_t place = group.last_place
        cdef list places = []
        while place >= 0:
            places.append((self.places[place].digest, self.places[place].first, self.places[place].size))
            place = self.places[place].before
        places.sort()
        name = (self.names + group.name)[: group.name_size].decode() if group.name_size else ""
        return RankedGroup(name, group.count, places)


cdef int _add_rest(_Table table, list readers, size_t* best, size_t limit) except? -2:
    """Add what follows the heads of digests; return 1, or what _Reader.next() returns.

    A group that is in no head has at most the sum of the last counts of the heads, since counts only fall. Where that
    is too few to be among the first, the rest needs to be read only for those that may be.
    """
    cdef _Table chosen = _Table()
    cdef _Reader reader
    cdef uint64_t most = 0, least
    cdef size_t found, number
    cdef size_t* numbers
    cdef int sound = 1
    cdef int32_t digest
    for reader in readers:
        if reader.at < reader.end:
            most += reader.count
    with nogil:
        found = table.choose(best, limit)
    least = table.groups[best[limit - 1]].count if found == limit else 0
    if most >= least:
        for digest, reader in enumerate(readers):
            with nogil:
                sound = table.add_digest(reader, digest, SIZE_MAX)
            if sound != 1:
                return sound
        return 1
    numbers = <size_t*>calloc(table.group_count + 1, sizeof(size_t))
    if numbers == NULL:
        return -1
    try:
        with nogil:
            for number in range(table.group_count):
                if table.groups[number].count + most >= least:
                    numbers[chosen.group_count] = number
                    if chosen.find(table.names + table.groups[number].name, table.groups[number].name_size) < 0:
                        sound = -1
                        break
        for digest, reader in enumerate(readers):
            if sound == 1:
                with nogil:
                    sound = table.add_some(reader, digest, chosen, numbers)
        return sound
    finally:
        free(numbers)


def rank(digests, names, counts, size_t limit):
    """See analytics.log_digests.rank()."""
    cdef _Table table = _Table()
    cdef _Reader reader
    cdef list readers = []
    cdef const char* text
    cdef Py_ssize_t size
    cdef int64_t number
    cdef int sound
    cdef int32_t digest
    if not limit:
        return []
    for name, count in zip(names, counts, strict=True):
        text = PyUnicode_AsUTF8AndSize(name, &size)
        number = table.find(<const uint8_t*>text, size)
        if number < 0:
            raise MemoryError
        table.groups[number].count += <uint64_t>count
    for digest, groups in enumerate(digests):
        reader = _Reader()
        reader.open(groups)
        readers.append(reader)
        with nogil:
            sound = table.add_digest(reader, digest, HEAD)
        if sound != 1:
            _refuse(sound)
    cdef size_t* best = <size_t*>calloc(limit, sizeof(size_t))
    if best == NULL:
        raise MemoryError
    cdef size_t found, place
    try:
        sound = _add_rest(table, readers, best, limit)
        if sound != 1:
            _refuse(sound)
        with nogil:
            found = table.choose(best, limit)
        return [table.describe(best[place]) for place in range(found)]
    finally:
        free(best)
