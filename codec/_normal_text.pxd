"""A text as llm_observe's normalise() would have it, a byte for a character."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

cdef enum:
    MAX_BYTES = 4000  # longer texts are not previews
    ROOM = MAX_BYTES + 64  # zeros follow, so that looking ahead needs no check
    OTHER = 0x80  # stands for a character that is not ASCII


cdef struct NormalText:
    uint8_t norm[ROOM]
    uint8_t low[ROOM]  # the same in lower case


cdef inline int normalise(const uint8_t* text, Py_ssize_t size, NormalText* into) noexcept:
    """Normalise a text; return its length in characters, or -1 where that is in doubt.

    Characters that are not ASCII become OTHER. Those that a pattern may take for a digit, a letter or a space are
    in doubt, and so is what is no UTF-8.
    """
    cdef Py_ssize_t at = 0
    cdef int n = 0
    cdef uint8_t byte
    if size > MAX_BYTES:
        return -1
    while at < size:
        byte = text[at]
        at += 1
        if byte == c'\\':
            byte = _after_backslash(text, size, &at)
        elif byte == 0x1B or (byte == c'%' and _is_hex(text, size, at)) or (byte == c'&' and _is_entity(text, size, at)):
            return -1  # an escape that llm_observe would decode
        elif byte >= 0x80:
            byte = _stand_in(_read_character(text, size, &at))
        if byte == 0:
            return -1
        into.norm[n] = byte
        into.low[n] = byte | 32 if c'A' <= byte <= c'Z' else byte
        n += 1
    memset(into.norm + n, 0, ROOM - MAX_BYTES)
    memset(into.low + n, 0, ROOM - MAX_BYTES)
    return n


cdef inline uint8_t _after_backslash(const uint8_t* text, Py_ssize_t size, Py_ssize_t* at) noexcept:
    """Return what a backslash is, perhaps with the character behind it: a line's end, itself, or 0 where in doubt."""
    cdef uint8_t letter
    if at[0] == size:
        return c'\\'
    letter = text[at[0]]
    if letter == c'n' or letter == c'r' or letter == c't':
        at[0] += 1
        return c'\n'
    if letter == c'u' or letter == c'x' or letter == c'e' or letter == c'0':
        return 0
    if c'a' <= letter | 32 <= c'z' or c'1' <= letter <= c'9' or letter == c' ' or letter == c'\n' or letter >= 0x80:
        return c'\\'
    return 0


cdef inline bint _is_hex_digit(uint8_t byte) noexcept:
    return c'0' <= byte <= c'9' or c'a' <= byte | 32 <= c'f'


cdef inline bint _is_hex(const uint8_t* text, Py_ssize_t size, Py_ssize_t at) noexcept:
    return at + 1 < size and _is_hex_digit(text[at]) and _is_hex_digit(text[at + 1])


cdef inline bint _is_entity(const uint8_t* text, Py_ssize_t size, Py_ssize_t at) noexcept:
    """Tell whether an XML entity may stand here: a name or a number before a semicolon."""
    cdef Py_ssize_t end = at
    while end < size and end < at + 9 and (c'a' <= text[end] | 32 <= c'z' or c'0' <= text[end] <= c'9' or text[end] == c'#'):
        end += 1
    return end < size and text[end] == c';'


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
    if 0xE1 <= first < 0xF0 and first != 0xED and left >= 2 and _is_tail(rest[0]) and _is_tail(rest[1]):
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
    if 0xA1 <= code < 0x250:  # Latin; dotless and dotted i and the long s match ASCII letters
        return 0 if code in (0x130, 0x131, 0x17F) else OTHER
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
    if 0xAC00 <= code < 0xD000:  # Korean; the rest of it shares a first byte with surrogates
        return OTHER
    if 0xFF01 <= code < 0xFF5F:  # full-width ASCII
        return code - 0xFEE0
    if 0x1F300 <= code < 0x1FB00:  # emoji
        return OTHER
    return 0
