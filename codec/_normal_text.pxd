"""A text as llm_observe's Scan would have it, a byte for a character."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    MAX_BYTES = 4000  # longer texts are not previews
    ROOM = MAX_BYTES + 64  # zeros follow, so that looking ahead needs no check
    OTHER = 0x80  # stands for a character that is not ASCII
    MAX_BACKSLASHES = 15  # that are one escape
    CASED = 0x530  # characters from here on, as far as they are known here, have no case
    STEMS = 512


cdef struct ForeignStems:
    # The last characters of each, in lower case, of which the last is not ASCII: up to three, in 21 bits each.
    uint64_t ends[STEMS]  # a hash table
    uint16_t lower[CASED]


cdef struct NormalText:
    uint8_t norm[ROOM]
    uint8_t low[ROOM]  # the same in lower case
    const uint8_t* original
    Py_ssize_t original_size
    int size  # in characters
    int checks  # how often llm_observe was asked about it
    bint other  # whether a character is not ASCII
    bint foreign  # whether the end of one of the foreign stems stands in it


cdef inline int normalise(const uint8_t* text, Py_ssize_t size, const ForeignStems* stems, NormalText* into) noexcept:
    """Normalise a text; return its length in characters, or -1 where that is in doubt.

    Characters that are not ASCII become OTHER. Those that a pattern may take for a digit, a letter or a space are
    in doubt, and so is what is no UTF-8, and most escapes.
    """
    cdef Py_ssize_t at = 0, plain
    cdef int n = 0
    cdef uint8_t byte
    cdef uint64_t last = 0  # three characters
    into.other = into.foreign = False
    into.original, into.original_size, into.checks = text, size, 0
    if size > MAX_BYTES:
        return -1
    _mark_odd(text, size, into.low)
    while at < size:
        plain = _end_of_plain(into.low, at, size)
        if plain > at:
            memcpy(into.norm + n, text + at, plain - at)
            n += plain - at
            for at in range(max(at, plain - 3), plain):
                last = last << 21 | _lower(text[at])
            at = plain
            continue
        byte = text[at]
        at += 1
        if byte >= 0x80:
            byte = _take_foreign(text, size, &at, stems, &last, into)
        else:
            if byte == c'\\':
                byte = _after_backslash(text, size, &at)
            elif byte == 0x1B or (byte == c'%' and _is_hex(text, size, at)) or (byte == c'&' and _is_entity(text, size, at)):
                return -1  # an escape that llm_observe would decode
            last = last << 21 | _lower(byte)
        if byte == 0:
            return -1
        into.norm[n] = byte
        n += 1
    memset(into.norm + n, 0, ROOM - MAX_BYTES)
    for at in range(n):
        into.low[at] = _lower(into.norm[at])
    memset(into.low + n, 0, ROOM - MAX_BYTES)
    into.size = n
    return n


cdef inline uint8_t _lower(uint8_t byte) noexcept:
    return byte | 32 if c'A' <= byte <= c'Z' else byte


cdef inline void _mark_odd(const uint8_t* text, Py_ssize_t size, uint8_t* odd) noexcept:
    """Mark each byte that is not ASCII or may begin an escape; no byte depends on others, so that many are looked at together."""
    cdef Py_ssize_t at
    cdef uint8_t byte
    for at in range(size):
        byte = text[at]
        odd[at] = (byte >= 0x80) | (byte == c'\\') | (byte == c'%') | (byte == c'&') | (byte == 0x1B) | (byte == 0)
    memset(odd + size, 1, sizeof(uint64_t))


cdef inline Py_ssize_t _end_of_plain(const uint8_t* odd, Py_ssize_t at, Py_ssize_t size) noexcept:
    """Return where the next byte is that is marked, or the end."""
    cdef uint64_t eight
    while at < size:
        memcpy(&eight, odd + at, sizeof(eight))
        if eight:
            break
        at += sizeof(eight)
    while not odd[at]:
        at += 1
    return at


cdef inline uint8_t _take_foreign(
    const uint8_t* text, Py_ssize_t size, Py_ssize_t* at, const ForeignStems* stems, uint64_t* last, NormalText* into
) noexcept:
    """Return the byte for the character whose first byte is before at."""
    cdef uint32_t code = _read_character(text, size, at)
    cdef uint8_t byte = _stand_in(code)
    if byte != OTHER:
        last[0] = last[0] << 21 | byte
        return byte
    into.other = True
    last[0] = last[0] << 21 | (stems.lower[code] if code < CASED else code)
    if not into.foreign:
        into.foreign = (
            _is_end(stems, last[0] & <uint64_t>0x1FFFFF) or _is_end(stems, last[0] & <uint64_t>0x3FFFFFFFFFF)
            or _is_end(stems, last[0] & <uint64_t>0x7FFFFFFFFFFFFFFF)
        )
    return byte


cdef inline int place_of(uint64_t end) noexcept:
    """Return where to look for the end of a stem first."""
    return (end * <uint64_t>0x9E3779B97F4A7C15) >> 55


cdef inline bint _is_end(const ForeignStems* stems, uint64_t end) noexcept:
    cdef int place = place_of(end)
    while stems.ends[place]:
        if stems.ends[place] == end:
            return True
        place = (place + 1) & (STEMS - 1)
    return False


cdef inline uint8_t _after_backslash(const uint8_t* text, Py_ssize_t size, Py_ssize_t* at) noexcept:
    """Return what backslashes are, perhaps with the sign behind them: a line's end, the sign, or 0 where in doubt."""
    cdef uint8_t letter
    cdef Py_ssize_t first = at[0]
    while at[0] < size and text[at[0]] == c'\\':
        at[0] += 1
    if at[0] == size:
        return c'\\' if at[0] == first else 0
    if at[0] - first >= MAX_BACKSLASHES:
        return 0
    letter = text[at[0]]
    if letter == c'n' or letter == c'r' or letter == c't':
        at[0] += 1
        return c'\n'
    if letter == c'%' or letter == c'&' or letter <= 0x1F and letter != c'\n' or letter == 0x7F:
        return 0
    if c'!' <= letter <= c'/' or c':' <= letter <= c'@' or c'[' <= letter <= c'`' or c'{' <= letter <= c'~':
        at[0] += 1
        return letter
    if at[0] != first or letter == c'u' or letter == c'x' or letter == c'e' or letter == c'0':
        return 0
    return c'\\'  # it stays


cdef inline bint _is_hex_digit(uint8_t byte) noexcept:
    return c'0' <= byte <= c'9' or c'a' <= byte | 32 <= c'f'


cdef inline bint _is_hex(const uint8_t* text, Py_ssize_t size, Py_ssize_t at) noexcept:
    return at + 1 < size and _is_hex_digit(text[at]) and _is_hex_digit(text[at + 1])


cdef inline bint _is_entity(const uint8_t* text, Py_ssize_t size, Py_ssize_t at) noexcept:
    """Tell whether an XML entity may stand here: a name or a number before a semicolon, perhaps behind a backslash."""
    cdef Py_ssize_t end = at
    while end < size and end < at + 9 and (c'a' <= text[end] | 32 <= c'z' or c'0' <= text[end] <= c'9' or text[end] == c'#'):
        end += 1
    return end < size and (text[end] == c';' or text[end] == c'\\')


cdef inline bint _is_tail(uint8_t byte) noexcept:
    return byte & 0xC0 == 0x80


cdef inline uint32_t _read_character(const uint8_t* text, Py_ssize_t size, Py_ssize_t* at) noexcept:
    """Return the character whose first byte is before at; 0 for those that _stand_in() does not know anyway."""
    cdef const uint8_t* rest = text + at[0]
    cdef Py_ssize_t left = size - at[0]
    cdef uint8_t first = text[at[0] - 1]
    if 0xC2 <= first < 0xE0 and left >= 1 and _is_tail(rest[0]):
        at[0] += 1
        return (first & 0x1F) << 6 | (rest[0] & 0x3F)
    if first == 0xED and left >= 1 and rest[0] >= 0xA0:  # a surrogate
        return 0
    if 0xE1 <= first < 0xF0 and left >= 2 and _is_tail(rest[0]) and _is_tail(rest[1]):
        at[0] += 2
        return (first & 0x0F) << 12 | (rest[0] & 0x3F) << 6 | (rest[1] & 0x3F)
    if first == 0xF0 and left >= 3 and rest[0] == 0x9F and _is_tail(rest[1]) and _is_tail(rest[2]):
        at[0] += 3
        return 0x1F000 | (rest[1] & 0x3F) << 6 | (rest[2] & 0x3F)
    return 0


cdef inline uint8_t _stand_in(uint32_t code) noexcept:
    """Return the byte for a character that is not ASCII, or 0 where it is in doubt."""
    if code == 0xA0 or code == 0xB2 or code == 0xB3 or code == 0xB9:  # a space, digits
        return 0
    if 0xA1 <= code < 0x250:  # Latin
        return c'I' if code == 0x130 else OTHER
    if 0x370 <= code < 0x530:  # Greek, Cyrillic
        return OTHER
    if code == 0x2013 or code == 0x2014:  # dashes
        return c'-'
    if 0x2018 <= code < 0x2024 or code == 0x2026 or code == 0x20AC or 0x2190 <= code < 0x2200:
        return OTHER  # quotes, bullets, dots, the euro, arrows
    if 0x2500 <= code < 0x2600 or 0x2700 <= code < 0x2760:  # boxes, ticks
        return OTHER
    if code == 0x3001 or code == 0x3002 or 0x3008 <= code < 0x3012 or 0x3041 <= code < 0x3100 or 0x4E00 <= code < 0xA000:
        return OTHER  # Japanese, Chinese
    if 0xAC00 <= code < 0xD7A4:  # Korean
        return OTHER
    if 0xFF01 <= code < 0xFF5F:  # full-width ASCII
        return code - 0xFEE0
    if 0x1F300 <= code < 0x1FB00:  # emoji
        return OTHER
    return 0
