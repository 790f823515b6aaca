# cython: language_level=3, wraparound=False
"""Tells whether what follows the name of a secret may be a value of it.

A part of what llm_observe's find_assigned() asks of a value, by the character behind the name: a sign, a comma, a
space before a verb or before the value.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memchr

from ._characters cimport ALNUM, DIGIT, LETTER, SPACE, kinds
from ._normal_text cimport OTHER, NormalText

from llm_observe import screening

cdef enum:
    MAX_CLOSING = 6  # quotes and brackets behind a name
    MAX_BLANKS = 20  # before a sign
    MIN_TOKEN = 10  # characters
    MIN_STATED_TOKEN = 8  # without a sign
    MAX_QUOTE_PREFIX = 2  # letters, as of a string in Python
    MIN_VALUE_WORD = 3  # letters
    MAX_VALUE_WORD = 12
    MAX_PROSE_WORD = 8  # letters, fewer than any token's
    LINE_CHARS = 24  # before a name, where it may be the first word of a line
    MAX_IN_BRACKETS = 20
    MAX_PHRASE_WORDS = 7
    MAX_WORDS = 10  # between a name and its value
    MAX_ADVERBS = 2  # between a verb and the value

if [int(kind) for kind in screening.NAME_KINDS] != [0, KEY, TOKEN, SECRET, PASSWORD]:
    raise ImportError("the kinds of names have changed")
cdef frozenset _linking_verbs = frozenset(word.encode() for word in screening.LINKING_VERBS)
cdef frozenset _linking_words = frozenset(word.encode() for word in screening.LINKING_WORDS)
cdef frozenset _prepositions = frozenset(word.encode() for word in screening.PREPOSITIONS if word.isascii())
cdef frozenset _value_words = frozenset(word.encode() for word in screening.VALUE_WORDS)
if not MIN_VALUE_WORD <= min(map(len, _value_words)) <= max(map(len, _value_words)) <= MAX_VALUE_WORD:
    raise ImportError("a word of another length")


cdef int may_have_value(const NormalText* text, int start, int end, int kind) except -1:
    """Tell whether a value may follow the name of a secret that stands here, whose kind is at most this one."""
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
        return _may_be_tied(text, start, at, kind)
    if sign == c'-' or sign == c'~':
        return text.norm[at + 1] == c'>'
    if sign == c',' or sign == c';':
        return _is_behind_comma(text, at, at > end) or _may_be_pair(text, end)
    if sign == c' ' or sign == c'\t':
        return _may_be_pair(text, end) or _may_be_behind_space(text, start, at, kind)
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
    if MIN_VALUE_WORD <= at - start <= MAX_VALUE_WORD and bytes(text.norm[start:at]) in _value_words:
        return True
    while kinds[text.norm[at]] & ALNUM or text.norm[at] == c'_' or text.norm[at] == c'-' or text.norm[at] == c':':
        at += 1
    return text.norm[at] == OTHER or (text.norm[at] == c'=' and _is_quote(text.norm[at + 1]))


cdef bint _is_prose(const NormalText* text, int name, int at) noexcept:
    """Tell whether a sentence provably follows a sign and a space: a short word, and another that joins no values.

    No word of it is a secret, unless it is all of a line that begins with the name.
    """
    cdef int place = at
    if not (text.norm[at - 2] == c':' or text.norm[at - 2] == c'=') or text.norm[at - 1] != c' ' or name <= LINE_CHARS:
        return False
    if not (kinds[text.norm[at - 3]] & ALNUM or _closes(text.norm[at - 3]) and text.norm[at - 3] != OTHER):
        return False
    for place in range(name - LINE_CHARS - 1, name):
        if text.norm[place] == c'\n':
            return False
    place = at
    while kinds[text.norm[place]] & LETTER:
        place += 1
    if not 1 <= place - at <= MAX_PROSE_WORD or text.norm[place] != c' ' or not kinds[text.norm[place + 1]] & LETTER:
        return False
    if text.low[at] == c'c' and place - at == 5:  # perhaps const, before a type
        return False
    return memchr(b"aueyo", text.low[place + 1], 5) == NULL  # as "and" begins, in several languages


cdef int _may_be_tied(const NormalText* text, int name, int at, int kind) noexcept:
    """Tell whether a sign ties a value to a name that may be a secret."""
    cdef int start, letters = 0
    cdef bint quoted
    while text.norm[at] == c'=' or text.norm[at] == c':' or text.norm[at] == c'>':
        at += 1
    while kinds[text.norm[at]] & SPACE:
        at += 1
    if kind == PASSWORD and text.norm[at] == c'*':  # perhaps a phrase of signs
        return True
    while kinds[text.norm[at]] & SPACE or text.norm[at] == c'*':
        at += 1
    if _is_prose(text, name, at):
        return False
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
    cdef uint8_t quote = text.norm[at] if _is_quote(text.norm[at]) else text.norm[at + 1]
    while text.norm[at] and at - start < MIN_TOKEN:
        if text.norm[at] == OTHER:
            return True
        if at > start + 1 and text.norm[at] == quote and not kinds[text.norm[at + 1]] & ALNUM:
            return text.norm[at + 1] == OTHER
        at += 1
    return at - start == MIN_TOKEN


cdef bint _is_before_equals(const NormalText* text, int at) noexcept:
    while kinds[text.norm[at]] & SPACE or kinds[text.norm[at]] & ALNUM or text.norm[at] == c'|':
        at += 1
    return text.norm[at] == c'='


cdef int _end_of_brackets(const NormalText* text, int at) noexcept:
    """Return where short brackets end that begin here, or 0."""
    cdef int end = at + 1
    while end <= at + MAX_IN_BRACKETS and text.norm[end] and text.norm[end] != c'\n' and text.norm[end] != c'(':
        if text.norm[end] == c')':
            return end + 1 if end > at + 1 else 0
        end += 1
    return 0


cdef int _may_be_behind_phrase(const NormalText* text, int at) except -1:
    """Tell whether a sign or a verb may stand behind the preposition that ends here, and a few words after it."""
    cdef int start, words = 0
    if text.norm[at] != c' ' or not kinds[text.norm[at + 1]] & ALNUM:
        return True
    while words <= MAX_PHRASE_WORDS:
        while text.norm[at] == c' ':
            at += 1
        start = at
        while kinds[text.norm[at]] & ALNUM or text.norm[at] == c'_' or text.norm[at] == c'.' or text.norm[at] == c'@' or text.norm[at] == c'-':
            at += 1
        word = bytes(text.norm[start:at])
        if word in _linking_words and word not in _prepositions:
            return True
        if text.norm[at] != c' ':
            return (
                text.norm[at] == c':' or text.norm[at] == c'=' or text.norm[at] == c'~' or text.norm[at] == c'>'
                or text.norm[at] == c'\t' or text.norm[at] == c'|' or text.norm[at] == OTHER
            )
        words += 1
    return False


cdef int _may_be_behind_space(const NormalText* text, int name, int at, int kind) except -1:
    """Tell whether a value may follow a space: a sign, a verb or itself."""
    cdef int start, end, blanks = 0
    cdef bint plain = True, digit = False
    while text.norm[at] == c' ' or text.norm[at] == c'\t':
        at += 1
        blanks += 1
    if blanks > MAX_BLANKS + 8:
        return False
    if text.norm[at] == c'=' or text.norm[at] == c':':
        return _may_be_tied(text, name, at, kind)
    if text.norm[at] == c'(' and blanks == 1:
        end = _end_of_brackets(text, at)
        if end and text.norm[end] == c':' and _is_prose(text, name, end + 2):
            return False
    if not kinds[text.norm[at]] & ALNUM:
        return text.norm[at] != 0 and not kinds[text.norm[at]] & SPACE and text.norm[at] != c'&'
    start = at
    while kinds[text.norm[at]] & LETTER:
        at += 1
    word = bytes(text.norm[start:at])
    if word in _prepositions and not _may_be_behind_phrase(text, at):
        return False
    if word in _linking_words and not kinds[text.norm[at]] & ALNUM:
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
