# cython: language_level=3, wraparound=False
"""Tells texts in which no detector of llm_observe.redaction can find anything, in an eighth of its time.

A conservative screen: redacting a plain text provably changes nothing. For each detector it looks for less than
that detector needs to begin with, such as the @ of an email address; a text that has it goes to the Redactor. The
lists of prefixes and words are the detectors' own (llm_observe.screening).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memset

from codec._normal_text cimport OTHER, NormalText, normalise

from llm_observe import screening

cdef enum:
    MAX_LITERALS = 400
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
    MIN_WALLET = 26  # letters and digits of the shortest wallet
    MIN_NUMBER = 6  # digits of the shortest phone number
    MIN_LONG_WORD = 20  # a value of this length counts as a secret without a digit
    MAX_NAME = 64  # characters of a name


cdef struct Literal:
    char text[40]
    int size
    int following  # characters of a key that must follow; -1 where the literal alone is enough
    bint header  # a word that announces a header's value


cdef struct Literals:
    Literal all[MAX_LITERALS]
    int begin[257]  # by first byte, where its literals begin; they are sorted
    uint32_t seconds[256]  # by first byte, a bit for each second byte, of which five bits count


cdef Literals keys
cdef Literals words
cdef uint16_t kinds[256]
cdef uint8_t ibans[26][26]  # countries


cdef int _fill(Literals* into, entries) except -1:
    """Take (text, following, header) of ASCII texts of at least two characters."""
    cdef int n = 0, first
    cdef Literal* literal
    memset(into, 0, sizeof(Literals))
    for text, following, header in sorted(entries):
        data = text.encode("ascii")
        if not 2 <= len(data) < 40 or n == MAX_LITERALS:
            raise ValueError("a literal that does not fit")
        literal = &into.all[n]
        literal.size, literal.following, literal.header = len(data), following, header
        memcpy(literal.text, <const char*>data, literal.size)
        into.seconds[<int>data[0]] |= <uint32_t>1 << (data[1] & 31)
        n += 1
        for first in range(<int>data[0] + 1, 257):
            into.begin[first] = n
    return 0


def _kinds_of(sign):
    alnum = sign.isascii() and sign.isalnum()
    return (
        DIGIT * sign.isdigit()
        | LETTER * (alnum and not sign.isdigit())
        | HEX * (sign in "0123456789abcdefABCDEF")
        | SPACE * (sign in " \t\n\r\f\v")
        | KEY * (alnum or sign in "_.~+/=%$:-")
        | NAME * (alnum or sign in "_.-")
        | GAP * (sign in " ().-/")
        | MARK * (sign in "@%:=-.")
    )


memset(kinds, 0, sizeof(kinds))
for _code in range(128):
    kinds[<int>_code] = _kinds_of(chr(_code))
for _country in screening.IBAN_COUNTRIES:
    ibans[<int>ord(_country[0]) - c'A'][<int>ord(_country[1]) - c'A'] = 1
_fill(&keys, [
    *((text, following, False) for text, following in screening.KEY_PREFIXES),
    ("eyJ", 7, False),  # a JSON web token
    ("----BEGIN", 0, False),
])
_fill(&words, [
    *((word, 0, False) for word in set(screening.SECRET_WORDS) - {"token"}),
    *((word, 0, True) for word in ("bearer", "basic", "token")),
    *((host, -1, False) for host in screening.WEBHOOK_HOSTS),
])
for _literal in range(keys.begin[256]):
    kinds[<uint8_t>keys.all[<int>_literal].text[0]] |= KEY_BEGIN
for _literal in range(words.begin[256]):
    kinds[<uint8_t>words.all[<int>_literal].text[0]] |= WORD_BEGIN
    kinds[<uint8_t>(words.all[<int>_literal].text[0]) - 32] |= WORD_BEGIN
for _country in screening.IBAN_COUNTRIES:
    kinds[<int>ord(_country[0])] |= COUNTRY
    kinds[<int>ord(_country[0]) + 32] |= COUNTRY
_STEMS = tuple(stem.encode() for stem in screening.STEMS)


cdef inline bint _may_be(const Literals* literals, uint8_t first, uint8_t second) noexcept:
    """Tell whether a literal begins with these two bytes, as far as five bits of the second tell."""
    return literals.seconds[first] >> (second & 31) & 1


cdef bint _is_key(const NormalText* text, int at) noexcept:
    """Tell whether a prefix of keys stands here with enough behind it."""
    cdef int index, end
    cdef Literal* key
    for index in range(keys.begin[text.norm[at]], keys.begin[text.norm[at] + 1]):
        key = &keys.all[index]
        if key.text[1] == text.norm[at + 1] and memcmp(text.norm + at, key.text, key.size) == 0:
            end = at + key.size
            while end < at + key.size + key.following and kinds[text.norm[end]] & KEY:
                end += 1
            if end == at + key.size + key.following:
                return True
    return False


cdef bint _is_stated(const NormalText* text, int at) noexcept:
    """Tell whether a word stands here that announces a secret, and one may follow."""
    cdef int index
    cdef Literal* word
    for index in range(words.begin[text.low[at]], words.begin[text.low[at] + 1]):
        word = &words.all[index]
        if word.text[1] == text.low[at + 1] and memcmp(text.low + at, word.text, word.size) == 0:
            if word.following < 0 or _may_follow(text, at + word.size, word.header):
                return True
    return False


cdef bint _may_follow(const NormalText* text, int at, bint header) noexcept:
    """Tell whether the rest of this word or one of the next two may be a secret's value."""
    cdef int spaces = 0, size = 0
    cdef uint8_t char
    while text.norm[at]:
        char = text.norm[at]
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
            if header and (c'A' <= char <= c'Z' or size >= MIN_LONG_WORD):
                return True
        at += 1
    return False


cdef inline bint _may_follow_name(uint8_t sign) noexcept:
    """Tell whether a sign may stand between a name and the colon or equals sign after it."""
    return (
        sign == c' ' or sign == c'\t' or sign == c'"' or sign == c"'" or sign == c'`' or sign == c']' or sign == c':'
    )


cdef int _names_secret(const NormalText* text, int sign) except -1:
    """Tell whether what is left of a colon or an equals sign is the name of a secret."""
    cdef int end = sign, floor = max(0, sign - MAX_NAME), start
    while end > floor and _may_follow_name(text.norm[end - 1]):
        end -= 1
    start = end
    while start > floor and kinds[text.norm[start - 1]] & NAME:
        start -= 1
    if end - start < 3:
        return False
    name = bytes(text.low[start:end])
    if name == b"value":
        return True
    for stem in _STEMS:
        if stem in name:
            return not screening.is_harmless_name(bytes(text.norm[start:end]).decode("ascii"))
    return False


cdef int _is_option(const NormalText* text, int at) except -1:
    """Tell whether an option stands here whose value is a secret: --token"""
    cdef int end = at
    while c'a' <= text.norm[end] <= c'z' or text.norm[end] == c'-':
        end += 1
    name = bytes(text.norm[at:end])
    for stem in _STEMS:
        if stem in name:
            return True
    return False


cdef inline bint _joins_mac(uint8_t sign) noexcept:
    return sign == c'-' or sign == c':'


cdef bint _is_middle_of_mac(const NormalText* text, int at) noexcept:
    if text.norm[at] == c'.':
        return _are_hex(text, at + 1, 4) and text.norm[at + 5] == c'.'
    return (
        _are_hex(text, at + 1, 2) and _joins_mac(text.norm[at + 3])
        and _are_hex(text, at + 4, 2) and _joins_mac(text.norm[at + 6])
    )


cdef inline bint _are_hex(const NormalText* text, int at, int count) noexcept:
    cdef int index
    for index in range(at, at + count):
        if not kinds[text.norm[index]] & HEX:
            return False
    return True


cdef inline int _end_of_digits(const NormalText* text, int at) noexcept:
    while kinds[text.norm[at]] & DIGIT:
        at += 1
    return at


cdef int _end_of_number(const NormalText* text, int start) noexcept:
    """Return where the digits end that begin here, gaps of up to three signs included; 0 if a person's number."""
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
    return 0


cdef bint _is_harmless(const NormalText* text, int start, int end, int digits) noexcept:
    """Tell whether a number is provably nobody's: a short one, a fraction or a date."""
    cdef int point
    if start and (text.norm[start - 1] == c'+' or text.norm[start - 1] == c'('):
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


cdef int is_plain(const uint8_t* data, Py_ssize_t size, Py_ssize_t limit) except -1:
    """Tell whether a text provably stays as it is when it is redacted and cut to ``limit`` characters."""
    cdef NormalText normal
    cdef const NormalText* text = &normal
    cdef int n = normalise(data, size, &normal), at, run = 0, number_end = 0, dots = 0, colons = 0
    cdef bint digit = False, double_colon = False
    cdef uint8_t char
    cdef uint16_t kind, before = 0
    if n < 0 or n > limit:
        return False
    for at in range(n):
        char = text.norm[at]
        kind = kinds[char]
        if kind & ALNUM:
            run += 1
        elif run >= MIN_WALLET:
            return False
        else:
            run = 0
        if kind & LOOKED_AT:
            if not before & ALNUM and (
                (kind & KEY_BEGIN and _may_be(&keys, char, text.norm[at + 1]) and _is_key(text, at))
                or (kind & COUNTRY and _is_iban(text, at))
            ):
                return False
            if kind & WORD_BEGIN and _may_be(&words, text.low[at], text.low[at + 1]) and _is_stated(text, at):
                return False
            if kind & DIGIT:
                digit = True
                if dots >= 3:
                    return False
                if at >= number_end:
                    number_end = _end_of_number(text, at)
                    if not number_end:
                        return False
            elif kind & MARK:
                if _is_suspicious(text, at, before):
                    return False
                if char == c'.':
                    dots = dots + 1 if before & DIGIT else 0
                elif char == c':':
                    colons += 1
                    double_colon = double_colon or text.norm[at + 1] == c':'
        if not kind & DIGIT and char != c'.':
            dots = 0
        before = kind
    return run < MIN_WALLET and not (digit and (double_colon or colons >= 6))


cdef inline bint _is_iban(const NormalText* text, int at) noexcept:
    """Tell whether a country's letters and two digits stand here."""
    cdef uint8_t second = text.low[at + 1]
    if not (kinds[second] & LETTER and kinds[text.norm[at + 2]] & kinds[text.norm[at + 3]] & DIGIT):
        return False
    return ibans[text.low[at] - c'a'][second - c'a']


cdef int _is_suspicious(const NormalText* text, int at, uint16_t before) except -1:
    """Tell whether a mark may belong to an address, a key, a header or an assignment."""
    cdef uint8_t mark = text.norm[at], after = text.norm[at + 1]
    if mark == c'@':
        return True
    if mark == c'%':  # %40
        return after == c'4' and text.norm[at + 2] == c'0'
    if mark == c':' and before & DIGIT and after == c'A':  # a Telegram bot's key
        return True
    if (mark == c':' or mark == c'=') and _names_secret(text, at):
        return True
    if mark == c'-' and after == c'-' and c'a' <= text.norm[at + 2] <= c'z':
        return _is_option(text, at + 2)
    return mark != c'=' and _is_middle_of_mac(text, at)


def plain(str text not None, Py_ssize_t limit=500):
    """is_plain() of a text."""
    cdef bytes data = text.encode()
    return bool(is_plain(data, len(data), limit))
