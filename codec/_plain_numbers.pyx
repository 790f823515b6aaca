# cython: language_level=3, wraparound=False
"""Numbers that may be a person's: of a phone, a card or social security."""

from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memset

from ._characters cimport ALNUM, DIGIT, GAP, LETTER, kinds
from ._normal_text cimport OTHER, NormalText

from llm_observe import screening

cdef enum:
    MIN_NUMBER = 6  # digits of the shortest phone number
    MIN_INTERNATIONAL = 7  # digits behind a plus
    MAX_DIGITS = 4000  # of a text
    MIN_CARD = 12  # digits of the shortest number of a card
    BEFORE = 49  # characters before a number in which a word may make it a phone number, a bracket included
    BEHIND = 12  # behind it
    MAX_WORDS = 64
    HASH_CHARS = 6  # beside digits: with more letters and digits than these they are part of a hash or an id


cdef struct Word:
    const char* text
    int size


cdef Word words[MAX_WORDS]
cdef int words_from[257]  # by first byte, where its words begin
cdef list _texts = sorted(word.encode() for word in screening.NUMBER_WORDS)  # which the words point to
if len(_texts) > MAX_WORDS:
    raise ImportError("more words than there is room for")
memset(words_from, 0, sizeof(words_from))
cdef int _fill_words() except -1:
    cdef int place, first
    for place in range(len(_texts)):
        words[place].text = <bytes>_texts[place]
        words[place].size = len(_texts[place])
        for first in range(<int>_texts[place][0] + 1, 257):
            words_from[first] = place + 1
    return 0


_fill_words()


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
    cdef int at = start, size, before = 0, second = 0, behind_plus = -MAX_DIGITS
    if start and (text.norm[start - 1] == c'+' or text.norm[start - 1] == c'('):
        return True
    if start > 1 and text.norm[start - 1] == c' ' and text.norm[start - 2] == c'+':
        return True
    while at < end:
        if not kinds[text.norm[at]] & DIGIT:
            if text.norm[at] == c'+':
                behind_plus = 0
            at += 1
            continue
        size = _end_of_digits(text, at) - at
        behind_plus += size
        if behind_plus >= MIN_INTERNATIONAL:
            return True
        if text.norm[at] == c'0' and text.norm[at + 1] == c'0':
            return True
        if second == 3 and (before == 2 or before == 3) and size == 4:
            return True
        second, before = before, size
        at += size
    return False


cdef bint _is_called_phone(const NormalText* text, int start, int end) noexcept:
    """Tell whether a word near a number may make it a phone number or one of social security."""
    cdef int at = end
    if text.norm[at] == c' ':
        at += 1
    if text.low[at] == c'x' or (text.low[at] == c'e' and text.low[at + 1] == c'x'):
        return True
    end = min(end + BEHIND, text.size)
    for at in range(max(0, start - BEFORE), end):
        if text.norm[at] == OTHER or _word_ends(text, at) <= end:
            return True  # perhaps a word of another script
    return False


cdef inline int _word_ends(const NormalText* text, int at) noexcept:
    """Return where the shortest of the words ends that begins here; far away if none does."""
    cdef int index, first = text.low[at]
    for index in range(words_from[first], words_from[first + 1]):
        if memcmp(text.low + at, words[index].text, words[index].size) == 0:
            return at + words[index].size
    return text.size + 1


cdef bint _is_harmless(const NormalText* text, int start, int end, int digits) noexcept:
    """Tell whether a number is provably nobody's: a short one, a fraction, a date or part of a word."""
    cdef int point
    if digits == MIN_NUMBER and not _are_pairs(text, start, end):
        return True
    if start and (text.norm[start - 1] == c'+' or text.norm[start - 1] == c'('):
        return False
    if text.norm[start] == c'0' and text.norm[start + 1] == c'0':
        return False
    if start > 1 and text.norm[start - 1] == c' ' and text.norm[start - 2] == c'+':
        return False
    if end - start == digits:
        return digits <= 8 or _is_in_word(text, start, end)
    if digits == 9 or digits > 11:
        return False
    point = _end_of_digits(text, start)
    if text.norm[point] == c'.':  # behind a comma it may be another number's part, and two zeros its beginning
        return _end_of_digits(text, point + 1) == end and not (text.norm[point + 1] == text.norm[point + 2] == c'0')
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


cdef inline bint _are_pairs(const NormalText* text, int start, int end) noexcept:
    """Tell whether six digits are three pairs with a sign between them, as the shortest phone numbers are."""
    return (
        end - start == MIN_NUMBER + 2 and kinds[text.norm[start + 1]] & DIGIT and kinds[text.norm[start + 4]] & DIGIT
        and not kinds[text.norm[start + 2]] & DIGIT and not kinds[text.norm[start + 5]] & DIGIT
    )


cdef bint _is_in_word(const NormalText* text, int start, int end) noexcept:
    """Tell whether digits without a gap follow a letter, and are too few for a card or part of a hash."""
    cdef int before = 0, behind = 0
    if not start or not kinds[text.norm[start - 1]] & LETTER:
        return False
    if end - start < MIN_CARD:
        return True
    while before < HASH_CHARS and start - before > 0 and kinds[text.norm[start - before - 1]] & ALNUM:
        before += 1
    while behind < HASH_CHARS and kinds[text.norm[end + behind]] & ALNUM:
        behind += 1
    return before + behind > HASH_CHARS
