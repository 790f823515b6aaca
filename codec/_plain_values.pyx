# cython: language_level=3, wraparound=False
"""Tells whether what follows the name of a secret may be a value of it.

A part of what llm_observe's find_assigned() asks of a value, by the character behind the name: a sign, a comma, a
space before a verb or before the value.
"""

from libc.stdint cimport uint8_t

from ._characters cimport ALNUM, DIGIT, LETTER, SPACE, kinds
from ._normal_text cimport OTHER, NormalText

from llm_observe import screening

cdef enum:
    MAX_CLOSING = 6  # quotes and brackets behind a name
    MAX_BLANKS = 20  # before a sign
    MIN_TOKEN = 10  # characters
    MIN_STATED_TOKEN = 8  # without a sign
    MAX_QUOTE_PREFIX = 2  # letters, as of a string in Python
    MAX_WORDS = 10  # between a name and its value
    MAX_ADVERBS = 2  # between a verb and the value

if [int(kind) for kind in screening.NAME_KINDS] != [0, KEY, TOKEN, SECRET, PASSWORD]:
    raise ImportError("the kinds of names have changed")
cdef frozenset _linking_verbs = frozenset(word.encode() for word in screening.LINKING_VERBS)
cdef frozenset _linking_words = frozenset(word.encode() for word in screening.LINKING_WORDS)
cdef frozenset _value_words = frozenset(word.encode() for word in screening.VALUE_WORDS)


cdef int may_have_value(const NormalText* text, int end, int kind) except -1:
    """Tell whether a value may follow the name of a secret, whose kind is at most this one."""
    cdef int at = end
    cdef uint8_t sign
    while at < end + MAX_CLOSING and _closes(text.norm[at]):
        if text.norm[at] == OTHER:  # a verb of a script without spaces, too
            return True
        at += 1
    sign = text.norm[at]
    if _closes(sign) or sign == c'|' or sign == c'>':
        return True
    if sign == c'=' or sign == c':':
        return _may_be_tied(text, at, kind)
    if sign == c'-' or sign == c'~':
        return text.norm[at + 1] == c'>'
    if sign == c',' or sign == c';':
        return _is_behind_comma(text, at, at > end) or _may_be_pair(text, end)
    if sign == c' ' or sign == c'\t':
        return _may_be_pair(text, end) or _may_be_behind_space(text, at, kind)
    return kinds[sign] & SPACE and _may_be_pair(text, end)


cdef inline bint _closes(uint8_t sign) noexcept:
    """Tell whether a sign may end a quoted or bracketed name."""
    return (
        sign == c'"' or sign == c"'" or sign == c'`' or sign == c'*' or sign == c']' or sign == c')' or sign == c'}'
        or sign == OTHER
    )


cdef inline bint _is_quote(uint8_t sign) noexcept:
    return sign == c'"' or sign == c"'" or sign == c'`'


cdef bint _is_behind_comma(const NormalText* text, int at, bint closed) noexcept:
    """Tell whether a value may follow a comma: at once, or in quotes if the name was."""
    cdef int next = at + 1
    if text.norm[next] and not kinds[text.norm[next]] & SPACE:
        return True
    if not closed:
        return False
    while kinds[text.norm[next]] & SPACE:
        next += 1
    return text.norm[next] == OTHER or _is_quote(text.norm[next]) or _is_quote(text.norm[next + 1])


cdef int _may_be_pair(const NormalText* text, int at) except -1:
    """Tell whether ``value: …`` or an attribute may follow the name, perhaps on the next line."""
    cdef int start
    if _is_quote(text.norm[at]):
        at += 1
    while text.norm[at] == c' ' or text.norm[at] == c'\t':
        at += 1
    if text.norm[at] == c',':
        at += 1
    while kinds[text.norm[at]] & SPACE:
        at += 1
    if text.norm[at] == OTHER:
        return True
    if _is_quote(text.norm[at]):
        at += 1
    start = at
    while kinds[text.norm[at]] & LETTER:
        at += 1
    if bytes(text.norm[start:at]) in _value_words:
        return True
    while kinds[text.norm[at]] & ALNUM or text.norm[at] == c'_' or text.norm[at] == c'-' or text.norm[at] == c':':
        at += 1
    return text.norm[at] == OTHER or (text.norm[at] == c'=' and _is_quote(text.norm[at + 1]))


cdef int _may_be_tied(const NormalText* text, int at, int kind) noexcept:
    """Tell whether a sign ties a value to a name that may be a secret."""
    cdef int start, letters = 0
    cdef bint quoted
    while text.norm[at] == c'=' or text.norm[at] == c':' or text.norm[at] == c'>':
        at += 1
    while kinds[text.norm[at]] & SPACE or text.norm[at] == c'*':
        at += 1
    if kind == PASSWORD or text.norm[at] == OTHER or text.norm[at] == c'|' or text.norm[at] == c'>' or text.norm[at] == c'-':
        return text.norm[at] != 0
    quoted = _is_quote(text.norm[at]) or (kinds[text.norm[at]] & LETTER and _is_quote(text.norm[at + 1]))
    if quoted:
        return kind == SECRET or _is_long_quoted(text, at)
    while text.norm[at] == c'&':
        at += 1
    start = at
    while text.norm[at] and not kinds[text.norm[at]] & SPACE and (at < start + 2 or not _is_quote(text.norm[at])):
        if text.norm[at] == OTHER:
            return True
        letters += kinds[text.norm[at]] & LETTER != 0
        at += 1
    if _is_before_equals(text, at):  # what stands here is a type
        return True
    return letters < at - start if kind == SECRET else at - start >= MIN_TOKEN


cdef bint _is_long_quoted(const NormalText* text, int at) noexcept:
    """Tell whether a value in quotes may be as long as a token. A quote before a letter or a digit is part of it."""
    cdef int start = at
    while text.norm[at] and at - start < MIN_TOKEN:
        if text.norm[at] == OTHER:
            return True
        if at > start + 1 and _is_quote(text.norm[at]) and not kinds[text.norm[at + 1]] & ALNUM:
            return text.norm[at + 1] == OTHER
        at += 1
    return at - start == MIN_TOKEN


cdef bint _is_before_equals(const NormalText* text, int at) noexcept:
    while kinds[text.norm[at]] & SPACE or kinds[text.norm[at]] & ALNUM or text.norm[at] == c'|':
        at += 1
    return text.norm[at] == c'='


cdef int _may_be_behind_space(const NormalText* text, int at, int kind) except -1:
    """Tell whether a value may follow a space: a sign, a verb or itself."""
    cdef int start, end, blanks = 0
    cdef bint plain = True, digit = False
    while text.norm[at] == c' ' or text.norm[at] == c'\t':
        at += 1
        blanks += 1
    if blanks > MAX_BLANKS + 8:
        return False
    if text.norm[at] == c'=' or text.norm[at] == c':':
        return _may_be_tied(text, at, kind)
    if not kinds[text.norm[at]] & ALNUM:
        return text.norm[at] != 0 and not kinds[text.norm[at]] & SPACE and text.norm[at] != c'&'
    start = at
    while kinds[text.norm[at]] & LETTER:
        at += 1
    word = bytes(text.norm[start:at])
    if word in _linking_words:
        return kind == PASSWORD or _is_token_near(text, at, kind, MAX_ADVERBS if word in _linking_verbs else MAX_WORDS)
    end = at
    if _is_quote(text.norm[at]) and at - start <= MAX_QUOTE_PREFIX:
        return True
    while text.norm[at] and not kinds[text.norm[at]] & SPACE and not _is_quote(text.norm[at]):
        if text.norm[at] == OTHER:
            return True
        digit = digit or kinds[text.norm[at]] & DIGIT
        plain = plain and _ends_clause(text.norm[at])
        at += 1
    if digit or (kind == PASSWORD and not plain):
        return True
    return kind == PASSWORD and screening.is_plain_word(bytes(text.norm[start:end]).decode())


cdef inline bint _ends_clause(uint8_t sign) noexcept:
    """Tell whether a sign ends words, and no passwords, as an exclamation mark may."""
    return sign == c'.' or sign == c',' or sign == c';' or sign == c':' or sign == c')' or sign == c']' or sign == c'}'


cdef bint _is_token_near(const NormalText* text, int at, int kind, int most) noexcept:
    """Tell whether a word with at most so many before it is none of letters alone, and may be a token."""
    cdef int words = 0, size = 0, letters = 0, digits = 0, least = 3 if kind == SECRET else MIN_STATED_TOKEN
    while text.norm[at] and words <= most:
        if text.norm[at] == OTHER:
            return True
        if kinds[text.norm[at]] & SPACE:
            words += size > 0
            size = letters = digits = 0
        else:
            size += 1
            letters += kinds[text.norm[at]] & LETTER != 0
            digits += kinds[text.norm[at]] & DIGIT != 0
            if size >= least and letters < size and digits < size and not _ends_clause(text.norm[at]):
                return True
        at += 1
    return False
