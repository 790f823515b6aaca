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
    MAX_LITERALS = 600
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
    TIE = 2048  # may tie a value to a name, or begin a value that is a secret
    RUN = 4096  # may stand in a long run, in which keys without a known prefix are looked for
    LOOKED_AT = DIGIT | MARK | KEY_BEGIN | WORD_BEGIN | COUNTRY
    MIN_WALLET = 26  # letters and digits of the shortest wallet
    MAX_WALLET = 35  # of the longest without a prefix
    TRON_WALLET = 34
    HEX_WALLET = 42  # 0x included
    MIN_RUN = 20  # characters of a run
    MIN_CHANGES = 5  # between digits, capitals and others, in the shortest key without a known prefix
    UUID = 36
    MIN_RUN_PART = 12  # letters and digits before the exclamation mark of a token
    MIN_NUMBER = 6  # digits of the shortest phone number
    MIN_CARD = 12  # digits of the shortest number of a card
    NUMBER_CONTEXT = 64  # characters beside a number in which a word may make it a phone number
    MIN_LONG_WORD = 20  # a value of this length counts as a secret without a digit
    MAX_NAME = 64  # characters of a name
    MAX_WORD = 24  # characters of the word before a name
    MAX_BETWEEN = 200  # characters between a name and the end of its value's first word


cdef struct Literal:
    char text[40]
    int size
    int following  # characters of a key that must follow; -1 where the literal alone is enough
    int sort  # what a word announces: HEADER, NAME_PART, or nothing


cdef enum:
    ALONE = 0
    HEADER = 1  # the scheme of an authorization header
    NAME_PART = 2  # part of the name of a secret


cdef struct Literals:
    Literal all[MAX_LITERALS]
    int begin[257]  # by first byte, where its literals begin; they are sorted
    uint32_t seconds[256]  # by first byte, a bit for each second byte, of which five bits count


cdef Literals keys
cdef Literals words
cdef uint16_t kinds[256]
cdef uint8_t ibans[26][26]  # countries


cdef int _fill(Literals* into, entries) except -1:
    """Take (text, following, sort) of ASCII texts of at least two characters."""
    cdef int n = 0, first
    cdef Literal* literal
    memset(into, 0, sizeof(Literals))
    for text, following, sort in sorted(entries):
        data = text.encode("ascii")
        if not 2 <= len(data) < 40 or n == MAX_LITERALS:
            raise ValueError("a literal that does not fit")
        literal = &into.all[n]
        literal.size, literal.following, literal.sort = len(data), following, sort
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
        | MARK * (sign in "@:-.~ ")
        | TIE * (sign.isdigit() or sign in ":=|>~\"'`\t<")
        | RUN * (alnum or sign in "_-")
    )


_NUMBER_WORDS = tuple(word.encode() for word in screening.NUMBER_WORDS)
_LINKING_WORDS = frozenset(word.encode() for word in screening.LINKING_WORDS)

memset(kinds, 0, sizeof(kinds))
for _code in range(128):
    kinds[<int>_code] = _kinds_of(chr(_code))
for _country in screening.IBAN_COUNTRIES:
    ibans[<int>ord(_country[0]) - c'A'][<int>ord(_country[1]) - c'A'] = 1
_fill(&keys, [
    *((text, following, ALONE) for text, following in screening.KEY_PREFIXES),
    ("----BEGIN", 0, ALONE),
    ("---- BEGIN", 0, ALONE),
])
_fill(&words, [
    *((word, 0, NAME_PART) for word in set(screening.ASCII_STEMS) - set(screening.SCHEMES)),
    *((word, 0, HEADER) for word in screening.SCHEMES),
    *((host, -1, ALONE) for host in screening.WEBHOOK_HOSTS),
    *((word, -1, ALONE) for word in ("eyj", "ls0tls1crudjt", "private-lines", "cookie", "vault login", *screening.KEY_MARKS)),
])
for _literal in range(keys.begin[256]):
    kinds[<uint8_t>keys.all[<int>_literal].text[0]] |= KEY_BEGIN
for _literal in range(words.begin[256]):
    kinds[<uint8_t>words.all[<int>_literal].text[0]] |= WORD_BEGIN
    kinds[<uint8_t>(words.all[<int>_literal].text[0]) - 32] |= WORD_BEGIN
for _country in screening.IBAN_COUNTRIES:
    kinds[<int>ord(_country[0])] |= COUNTRY
    kinds[<int>ord(_country[0]) + 32] |= COUNTRY


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


cdef int _announces(const NormalText* text, int at) except -1:
    """Tell whether a word stands here that announces a secret, and one may follow."""
    cdef int index
    cdef Literal* word
    for index in range(words.begin[text.low[at]], words.begin[text.low[at] + 1]):
        word = &words.all[index]
        if word.text[1] != text.low[at + 1] or memcmp(text.low + at, word.text, word.size) != 0:
            continue
        if word.following < 0:
            return True
        if word.sort == HEADER and _may_follow_scheme(text, at + word.size):
            return True
        if _names_secret(text, at, at + word.size):
            return True
    return False


cdef bint _may_follow_scheme(const NormalText* text, int at) noexcept:
    """Tell whether the rest of this word or one of the next two may be credentials."""
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
            if kinds[char] & DIGIT or char == OTHER or c'A' <= char <= c'Z' or size >= MIN_LONG_WORD:
                return True
        at += 1
    return False


cdef int _names_secret(const NormalText* text, int start, int end) except -1:
    """Tell whether a part of a name belongs to the name of a secret, and a value may follow."""
    cdef int floor = max(0, start - MAX_NAME), before, limit
    while start > floor and (kinds[text.norm[start - 1]] & NAME or text.norm[start - 1] == c'$'):
        start -= 1
    limit = end + MAX_NAME
    while end < limit and (kinds[text.norm[end]] & NAME or text.norm[end] == c'$'):
        end += 1
    if text.norm[end] == OTHER or (start and text.norm[start - 1] == OTHER):
        return True  # the name may go on
    while text.norm[end - 1] == c'.' or text.norm[end - 1] == c'-':
        end -= 1
    before = start
    if text.norm[start] != c'-' and before and (text.norm[before - 1] == c' ' or text.norm[before - 1] == c'-'):
        before -= 1
    floor = max(0, before - MAX_WORD)
    while before > floor and kinds[text.norm[before - 1]] & ALNUM:
        before -= 1
    if before and text.norm[before - 1] == OTHER:
        return True
    name = bytes(text.norm[start:end]).decode("ascii")
    word = bytes(text.low[before:max(before, start - 1)]).decode("ascii")
    if not screening.is_secret(name, word):
        return False
    if start and text.norm[start - 1] == c'-' or text.norm[start] == c'-':
        return True
    # An element's value follows its tag, whatever its attributes are.
    in_tag = start and (text.norm[start - 1] == c'<' or text.norm[start - 1] == c':')
    any_word = screening.is_password(name, word)
    return (any_word or in_tag or not _is_plain_word(text, end)) and _may_follow_name(text, end, any_word)


cdef int _is_plain_word(const NormalText* text, int at) except -1:
    """Tell whether the next word is one of letters, which neither is a token nor links one to its name."""
    cdef int start = at + 1, end = start
    if text.norm[at] != c' ':
        return False
    while c'a' <= text.norm[end] <= c'z':
        end += 1
    if end == start or bytes(text.norm[start:end]) in _LINKING_WORDS:
        return False
    if text.norm[end] == c'.' or text.norm[end] == c',':
        end += 1
    return not text.norm[end] or text.norm[end] == c' ' or text.norm[end] == c'\n'


cdef bint _may_follow_name(const NormalText* text, int at, bint any_word) noexcept:
    """Tell whether a value may follow a name: a sign that ties one to it, or a word that looks like one."""
    cdef int limit = at + MAX_BETWEEN, letters = 0
    while text.norm[at] and (at < limit or not kinds[text.norm[at]] & SPACE):
        if kinds[text.norm[at]] & TIE or text.norm[at] == OTHER:
            return True
        if kinds[text.norm[at]] & LETTER:
            letters += 1
            if any_word and letters == 3:
                return True
        at += 1
    return False


cdef bint _may_be_wallet(const NormalText* text, int start, int end) noexcept:
    """Tell whether letters and digits may be a wallet, by their length and how they begin."""
    cdef const uint8_t* run = text.norm + start
    cdef int size = end - start
    if size < MIN_WALLET:
        return False
    if run[0] == c'1' or run[0] == c'3' or run[0] == c'L' or run[0] == c'M':
        return size <= MAX_WALLET
    if run[0] == c'T':
        return size == TRON_WALLET or text.norm[start + 1] == c'B'
    if run[0] == c'0':
        return size == HEX_WALLET and run[1] == c'x'
    return (run[1] == c'c' or run[1] == c'b') and run[2] == c'1' or (run[0] == c'l' and run[1] == c't')


cdef bint _may_be_unseen_key(const NormalText* text, int start, int end) noexcept:
    """Tell whether a long run may be, or begin, a key that has no known prefix."""
    cdef int at, changes = 0, sort, before = 0
    cdef bint joined = False
    cdef uint8_t char
    if start and text.norm[start - 1] == c':':  # Asana
        return True
    if text.norm[end] == c'.' and c'M' <= text.norm[start] <= c'O':  # Discord
        return True
    for at in range(start, end):
        char = text.norm[at]
        sort = 1 if kinds[char] & DIGIT else 2 if c'A' <= char <= c'Z' else 3
        changes += before != 0 and sort != before
        before = sort
        joined = joined or not kinds[char] & ALNUM
        if char == c'-' and text.norm[at + 1] == c'u' and text.norm[at + 2] == c's':  # Mailchimp
            return True
    return joined and changes >= MIN_CHANGES and not _is_uuid(text, start, end)


cdef bint _is_uuid(const NormalText* text, int start, int end) noexcept:
    cdef int at
    if end - start != UUID:
        return False
    for at in range(UUID):
        if at == 8 or at == 13 or at == 18 or at == 23:
            if text.norm[start + at] != c'-':
                return False
        elif not kinds[text.norm[start + at]] & HEX:
            return False
    return True


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


cdef int _end_of_number(const NormalText* text, int start) except -1:
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
    return 0 if digits >= MIN_CARD or _has_shape(text, start, last) or _is_called_phone(text, start, last) else last


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


cdef int is_plain(const uint8_t* data, Py_ssize_t size, Py_ssize_t limit) except -1:
    """Tell whether a text provably stays as it is when it is redacted and cut to ``limit`` characters."""
    cdef NormalText normal
    cdef const NormalText* text = &normal
    cdef int n = normalise(data, size, &normal), at, run = 0, number_end = 0, dots = 0, colons = 0
    cdef int together = 0  # characters that may stand in a long run
    cdef bint together_digit = False, digit = False, double_colon = False, other = False
    cdef uint8_t char
    cdef uint16_t kind, before = 0
    if n < 0 or n > limit:
        return False
    for at in range(n):
        char = text.norm[at]
        kind = kinds[char]
        if kind & ALNUM:
            run += 1
        elif run:
            if _may_be_wallet(text, at - run, at) or (char == c'!' and run >= MIN_RUN_PART):  # a token of Salesforce
                return False
            run = 0
        if kind & RUN:
            together += 1
            together_digit = together_digit or kind & DIGIT
        elif together:
            if together >= MIN_RUN and together_digit and _may_be_unseen_key(text, at - together, at):
                return False
            together = 0
            together_digit = False
        if char == OTHER:
            other = True
        if kind & LOOKED_AT:
            if not before & ALNUM and kind & KEY_BEGIN and _may_be(&keys, char, text.norm[at + 1]) and _is_key(text, at):
                return False
            if kind & COUNTRY and _is_iban(text, at):
                return False
            if kind & WORD_BEGIN and _may_be(&words, text.low[at], text.low[at + 1]) and _announces(text, at):
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
    if _may_be_wallet(text, n - run, n):
        return False
    if together >= MIN_RUN and together_digit and _may_be_unseen_key(text, n - together, n):
        return False
    if digit and (double_colon or colons >= 6):
        return False
    return not other or not _has_foreign_name(data, size)


cdef int _has_foreign_name(const uint8_t* data, Py_ssize_t size) except -1:
    """Tell whether a part of a secret's name stands here that is not ASCII."""
    lowered = data[:size].decode().lower()
    for stem in screening.FOREIGN_STEMS:
        if stem in lowered:
            return True
    return False


cdef inline bint _is_iban(const NormalText* text, int at) noexcept:
    """Tell whether a country's letters and two digits stand here."""
    cdef uint8_t second = text.low[at + 1]
    if not (kinds[second] & LETTER and kinds[text.norm[at + 2]] & kinds[text.norm[at + 3]] & DIGIT):
        return False
    return ibans[text.low[at] - c'a'][second - c'a']


cdef bint _is_suspicious(const NormalText* text, int at, uint16_t before) noexcept:
    """Tell whether a mark may belong to an address, a key or a command."""
    cdef uint8_t mark = text.norm[at], after = text.norm[at + 1]
    if mark == c'@':  # an address or a password is before it
        return at > 0 and not before & SPACE
    if mark == c'~':  # a key of Microsoft Entra
        return at and text.norm[at - 1] == c'Q'
    if mark == c' ':  # an option of a command
        if after == c'-' and text.norm[at + 2] == c'-':
            return kinds[text.norm[at + 3]] & LETTER
        return (after == c'-' and kinds[text.norm[at + 2]] & LETTER) or (
            after == c'/' and (text.norm[at + 2] == c'p' or text.norm[at + 2] == c'u')
        )
    if mark == c':' and before & DIGIT and after == c'A':  # a Telegram bot's key
        return True
    return _is_middle_of_mac(text, at)


def plain(str text not None, Py_ssize_t limit=500):
    """is_plain() of a text."""
    cdef bytes data = text.encode()
    return bool(is_plain(data, len(data), limit))
