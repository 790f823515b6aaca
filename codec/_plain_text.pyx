# cython: language_level=3, wraparound=False
"""Tells texts in which no detector of llm_observe.redaction can find anything, in an eighth of its time.

It only ever says yes: redacting a plain text surely changes nothing. For each detector it looks for less than that
detector needs to begin with, such as a sign of an email address; a text that has it goes to the Redactor, which is
the law. The lists of prefixes and words are the detectors' own.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memset

from codec._normal_text cimport OTHER, ROOM, normalise

from llm_observe._redaction import assignments, credentials, names, numbers, prefixes

cdef enum:
    MOST_LITERALS = 400
    DIGIT = 1
    LETTER = 2
    ALNUM = DIGIT | LETTER
    HEX = 4
    SPACE = 8
    KEY = 16  # may stand in a key, its prefix included
    NAME = 32  # may stand in the name of a variable
    GAP = 64  # may stand between the digits of one number
    MARK = 128  # is looked at wherever it stands
    KEY_BEGIN = 256  # some key begins with it
    WORD_BEGIN = 512  # some word does, in either case
    COUNTRY = 1024  # some country of an IBAN does, in either case
    LOOKED_AT = DIGIT | MARK | KEY_BEGIN | WORD_BEGIN | COUNTRY
    LONG_RUN = 26  # letters and digits of the shortest wallet
    NUMBER_LEAST = 6  # digits of the shortest phone number
    WORD_LONG = 20  # from this length on a value counts as a secret without a digit


cdef struct Literal:
    char text[40]
    int size
    int least  # characters of keys that must follow
    bint header  # a word that announces a header's value


cdef struct Literals:
    Literal all[MOST_LITERALS]
    int begin[257]  # where those begin whose first byte is the index; they are sorted
    uint32_t seconds[256]  # by first byte, a bit for each second byte, of which five bits count


cdef Literals keys
cdef Literals words
cdef uint16_t kinds[256]
cdef uint8_t ibans[26][26]  # countries
cdef uint8_t norm[ROOM]  # the text
cdef uint8_t low[ROOM]  # the same in lower case


cdef int _fill(Literals* into, entries) except -1:
    """Take (text, least, header) of ASCII texts of at least two characters."""
    cdef int n = 0, first
    cdef Literal* literal
    memset(into, 0, sizeof(Literals))
    for text, least, header in sorted(entries):
        data = text.encode("ascii")
        if not 2 <= len(data) < 40 or n == MOST_LITERALS:
            raise ValueError("a literal that does not fit")
        literal = &into.all[n]
        literal.size, literal.least, literal.header = len(data), least, header
        memcpy(literal.text, <const char*>data, literal.size)
        into.seconds[<int>data[0]] |= <uint32_t>1 << (data[1] & 31)
        n += 1
        for first in range(<int>data[0] + 1, 257):
            into.begin[first] = n
    return 0


def _kinds_of(one):
    alnum = one.isascii() and one.isalnum()
    return (
        DIGIT * one.isdigit()
        | LETTER * (alnum and not one.isdigit())
        | HEX * (one in "0123456789abcdefABCDEF")
        | SPACE * (one in " \t\n\r\f\v")
        | KEY * (alnum or one in "_.~+/=%$:-")
        | NAME * (alnum or one in "_.-")
        | GAP * (one in " ().-/")
        | MARK * (one in "@%:=-.")
    )


memset(kinds, 0, sizeof(kinds))
for _code in range(128):
    kinds[<int>_code] = _kinds_of(chr(_code))
for _country in numbers.IBAN_LENGTHS:
    ibans[<int>ord(_country[0]) - 65][<int>ord(_country[1]) - 65] = 1
_fill(&keys, [
    *((prefix.text, prefix.least, False) for prefix in prefixes.ALL),
    ("eyJ", 7, False),  # a JSON web token
    ("----BEGIN", 0, False),
])
_fill(&words, [
    *((word, 0, False) for word in set(assignments.STATED_BEFORE) - {"token"}),
    *((word, 0, True) for word in ("bearer", "basic", "token")),
    *((host, -1, False) for host, _ in credentials.WEBHOOKS),
])
for _literal in range(keys.begin[256]):
    kinds[<uint8_t>keys.all[<int>_literal].text[0]] |= KEY_BEGIN
for _literal in range(words.begin[256]):
    kinds[<uint8_t>words.all[<int>_literal].text[0]] |= WORD_BEGIN
    kinds[<uint8_t>(words.all[<int>_literal].text[0]) - 32] |= WORD_BEGIN
for _country in numbers.IBAN_LENGTHS:
    kinds[<int>ord(_country[0])] |= COUNTRY
    kinds[<int>ord(_country[0]) + 32] |= COUNTRY
_STEMS = tuple(stem.encode() for stem in names.STEMS)


cdef inline bint _may_be(Literals* those, uint8_t first, uint8_t second) noexcept:
    """Tell whether some begins with these two bytes, as far as five bits of the second tell."""
    return those.seconds[first] >> (second & 31) & 1


cdef bint _is_key(int at) noexcept:
    """Tell whether a prefix of keys stands here with enough behind it."""
    cdef int index, end
    cdef Literal* key
    for index in range(keys.begin[norm[at]], keys.begin[norm[at] + 1]):
        key = &keys.all[index]
        if key.text[1] == norm[at + 1] and memcmp(norm + at, key.text, key.size) == 0:
            end = at + key.size
            while end < at + key.size + key.least and kinds[norm[end]] & KEY:
                end += 1
            if end == at + key.size + key.least:
                return True
    return False


cdef bint _is_told(int at) noexcept:
    """Tell whether a word stands here that announces a secret, and one may follow."""
    cdef int index
    cdef Literal* word
    for index in range(words.begin[low[at]], words.begin[low[at] + 1]):
        word = &words.all[index]
        if word.text[1] == low[at + 1] and memcmp(low + at, word.text, word.size) == 0:
            if word.least < 0 or _may_follow(at + word.size, word.header):
                return True
    return False


cdef bint _may_follow(int at, bint header) noexcept:
    """Tell whether the rest of this word or one of the next two may be a secret's value."""
    cdef int spaces = 0, size = 0
    cdef uint8_t char
    while norm[at]:
        char = norm[at]
        if kinds[char] & SPACE:
            if size or not spaces:
                spaces += 1
            size = 0
            if spaces == 3:
                return False
        else:
            size += 1
            if kinds[char] & DIGIT or char == OTHER:
                return True
            if header and (65 <= char <= 90 or size >= WORD_LONG):
                return True
        at += 1
    return False


cdef int _names_secret(int sign) except -1:
    """Tell whether what is left of a colon or an equals sign is the name of a secret."""
    cdef int end = sign, floor = max(0, sign - 64), start
    while end > floor and norm[end - 1] in (32, 9, 34, 39, 96, 93, 58):  # what may stand between name and sign
        end -= 1
    start = end
    while start > floor and kinds[norm[start - 1]] & NAME:
        start -= 1
    if end - start < 3:
        return False
    name = bytes(low[start:end])
    if name == b"value":
        return True
    for stem in _STEMS:
        if stem in name:
            return names.NOT_NAMES.fullmatch(bytes(norm[start:end]).decode("ascii")) is None
    return False


cdef int _is_option(int at) except -1:
    """Tell whether an option stands here whose value is a secret: --token"""
    cdef int end = at
    while 97 <= norm[end] <= 122 or norm[end] == 45:
        end += 1
    name = bytes(norm[at:end])
    for stem in _STEMS:
        if stem in name:
            return True
    return False


cdef bint _is_middle_of_mac(int at) noexcept:
    if norm[at] == 46:
        return _are_hex(at + 1, 4) and norm[at + 5] == 46
    return (
        _are_hex(at + 1, 2) and norm[at + 3] in (45, 58) and _are_hex(at + 4, 2) and norm[at + 6] in (45, 58)
    )


cdef inline bint _are_hex(int at, int count) noexcept:
    cdef int index
    for index in range(at, at + count):
        if not kinds[norm[index]] & HEX:
            return False
    return True


cdef inline int _end_of_digits(int at) noexcept:
    while kinds[norm[at]] & DIGIT:
        at += 1
    return at


cdef int _end_of_number(int start) noexcept:
    """Return where the digits end that begin here, gaps of up to three signs included; 0 if a person's number."""
    cdef int at = start, last = start, digits = 0
    while norm[at] and at - last <= 4:
        if kinds[norm[at]] & DIGIT:
            digits += 1
            last = at
        elif not kinds[norm[at]] & GAP:
            break
        at += 1
    last += 1
    if digits < NUMBER_LEAST or _is_harmless(start, last, digits):
        return last
    return 0


cdef bint _is_harmless(int start, int end, int digits) noexcept:
    """Tell whether a number is surely nobody's: a short one, a fraction or a date."""
    cdef int point
    if start and (norm[start - 1] in (43, 40) or (start > 1 and norm[start - 1] == 32 and norm[start - 2] == 43)):
        return False  # a plus sign or a bracket before it
    if end - start == digits:
        return digits <= 8
    if digits == 9 or digits > 11:
        return False
    point = _end_of_digits(start)
    if norm[point] == 46:
        return _end_of_digits(point + 1) == end
    if point - start != 4 or norm[point] != 45:
        return False
    point = _end_of_digits(start + 5)
    if not 6 <= point - start <= 7 or norm[point] != 45:
        return False
    start, point = point + 1, _end_of_digits(point + 1)
    if not 1 <= point - start <= 2 or (point < end and norm[point] != 32):
        return False
    while point < end:
        if norm[point] == 46:
            return False
        point += 1
    return True


cdef int is_plain(const uint8_t* text, Py_ssize_t size, Py_ssize_t limit) except -1:
    """Tell whether a text surely stays as it is when it is redacted and cut to ``limit`` characters."""
    cdef int n = normalise(text, size, norm, low), at, run = 0, number_end = 0, dots = 0, colons = 0
    cdef bint digit = False, double_colon = False
    cdef uint8_t char
    cdef uint16_t kind, before = 0
    if n < 0 or n > limit:
        return False
    for at in range(n):
        char = norm[at]
        kind = kinds[char]
        if kind & ALNUM:
            run += 1
        elif run >= LONG_RUN:
            return False
        else:
            run = 0
        if kind & LOOKED_AT:
            if not before & ALNUM and (
                (kind & KEY_BEGIN and _may_be(&keys, char, norm[at + 1]) and _is_key(at))
                or (kind & COUNTRY and _is_iban(at))
            ):
                return False
            if kind & WORD_BEGIN and _may_be(&words, low[at], low[at + 1]) and _is_told(at):
                return False
            if kind & DIGIT:
                digit = True
                if dots >= 3:
                    return False
                if at >= number_end:
                    number_end = _end_of_number(at)
                    if not number_end:
                        return False
            elif kind & MARK:
                if _is_suspicious(at, before):
                    return False
                if char == 46:
                    dots = dots + 1 if before & DIGIT else 0
                elif char == 58:
                    colons += 1
                    double_colon = double_colon or norm[at + 1] == 58
        if not kind & DIGIT and char != 46:
            dots = 0
        before = kind
    return run < LONG_RUN and not (digit and (double_colon or colons >= 6))


cdef inline bint _is_iban(int at) noexcept:
    """Tell whether a country's letters and two digits stand here."""
    cdef uint8_t second = low[at + 1]
    if not (kinds[second] & LETTER and kinds[norm[at + 2]] & kinds[norm[at + 3]] & DIGIT):
        return False
    return ibans[low[at] - 97][second - 97]


cdef int _is_suspicious(int at, uint16_t before) except -1:
    """Tell whether a mark may belong to an address, a key, a header or an assignment."""
    cdef uint8_t mark = norm[at], after = norm[at + 1]
    if mark == 64:  # @
        return True
    if mark == 37:  # %40
        return after == 52 and norm[at + 2] == 48
    if mark == 58 and before & DIGIT and after == 65:  # a Telegram bot's key
        return True
    if (mark == 58 or mark == 61) and _names_secret(at):
        return True
    if mark == 45 and after == 45 and 97 <= norm[at + 2] <= 122:
        return _is_option(at + 2)
    return mark != 61 and _is_middle_of_mac(at)


def plain(str text not None, Py_ssize_t limit=500):
    """is_plain() of a text."""
    cdef bytes data = text.encode()
    return bool(is_plain(data, len(data), limit))
