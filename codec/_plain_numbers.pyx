# cython: language_level=3, wraparound=False
"""Numbers that may be a person's: of a phone, a card or social security."""

from libc.stdint cimport uint8_t

from ._characters cimport DIGIT, GAP, kinds
from ._normal_text cimport OTHER, NormalText

from llm_observe import screening

cdef enum:
    MIN_NUMBER = 6  # digits of the shortest phone number
    MIN_CARD = 12  # digits of the shortest number of a card
    NUMBER_CONTEXT = 64  # characters beside a number in which a word may make it a phone number

_NUMBER_WORDS = tuple(word.encode() for word in screening.NUMBER_WORDS)


cdef inline int _end_of_digits(const NormalText* text, int at) noexcept:
    while kinds[text.norm[at]] & DIGIT:
        at += 1
    return at


cdef int end_of_number(const NormalText* text, int start) except 0:
    """Return where the digits end that begin here, gaps of up to three signs included; negative if a person's number."""
    cdef int at = start, last = start, digits = 0
    while text.norm[at] and at - last <= 4:
        if kinds[text.norm[at]] & DIGIT:
            digits += 1
            last = at
        elif not kinds[text.norm[at]] & GAP:
            break
        at += 1
    last += 1
    if digits < MIN_NUMBER or _is_harmless(text, start, last, digits):
        return last
    if digits >= MIN_CARD or _has_shape(text, start, last) or _is_called_phone(text, start, last):
        return -last
    return last


cdef bint _has_shape(const NormalText* text, int start, int end) noexcept:
    """Tell whether a number may be one of a person by its groups of digits or the sign before it."""
    cdef int at = start, size, before = 0, second = 0
    if start and (text.norm[start - 1] == c'+' or text.norm[start - 1] == c'('):
        return True
    if start > 1 and text.norm[start - 1] == c' ' and text.norm[start - 2] == c'+':
        return True
    while at < end:
        if not kinds[text.norm[at]] & DIGIT:
            at += 1
            continue
        size = _end_of_digits(text, at) - at
        if text.norm[at] == c'0' and text.norm[at + 1] == c'0':
            return True
        if second == 3 and (before == 2 or before == 3) and size == 4:
            return True
        second, before = before, size
        at += size
    return False


cdef int _is_called_phone(const NormalText* text, int start, int end) except -1:
    """Tell whether a word near a number may make it a phone number or one of social security."""
    cdef int after = end, floor = max(0, start - NUMBER_CONTEXT)
    if text.norm[after] == c' ':
        after += 1
    if text.low[after] == c'x' or (text.low[after] == c'e' and text.low[after + 1] == c'x'):
        return True
    around = bytes(text.low[floor:end + NUMBER_CONTEXT])
    for word in _NUMBER_WORDS:
        if word in around:
            return True
    for at in range(len(around)):
        if around[at] == OTHER:
            return True  # perhaps a word of another script
    return False


cdef bint _is_harmless(const NormalText* text, int start, int end, int digits) noexcept:
    """Tell whether a number is provably nobody's: a short one, a fraction or a date."""
    cdef int point
    if start and (text.norm[start - 1] == c'+' or text.norm[start - 1] == c'('):
        return False
    if text.norm[start] == c'0' and text.norm[start + 1] == c'0':
        return False
    if start > 1 and text.norm[start - 1] == c' ' and text.norm[start - 2] == c'+':
        return False
    if end - start == digits:
        return digits <= 8
    if digits == 9 or digits > 11:
        return False
    point = _end_of_digits(text, start)
    if text.norm[point] == c'.':
        return _end_of_digits(text, point + 1) == end
    if point - start != 4 or text.norm[point] != c'-':
        return False
    point = _end_of_digits(text, start + 5)
    if not 6 <= point - start <= 7 or text.norm[point] != c'-':
        return False
    start, point = point + 1, _end_of_digits(text, point + 1)
    if not 1 <= point - start <= 2 or (point < end and text.norm[point] != c' '):
        return False
    while point < end:
        if text.norm[point] == c'.':
            return False
        point += 1
    return True


