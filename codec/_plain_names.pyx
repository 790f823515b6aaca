# cython: language_level=3, wraparound=False
"""Prefixes of keys, names of secrets and other words that call for a detector.

The lists are the detectors' own (llm_observe.screening).
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from ._characters cimport ALNUM, DIGIT, KEY, NAME, codes, kinds
from ._normal_text cimport CASED, OTHER, STEMS, ForeignStems, NormalText, place_of
from ._plain_values cimport PASSWORD, may_have_value

from llm_observe import screening

cdef enum:
    MAX_LITERALS = 600
    MIN_LONG_WORD = 20  # a value of this length counts as a secret without a digit
    MIN_CREDENTIALS = 8  # characters behind the scheme of an authorization header
    MAX_NAME = 64  # characters of a name
    MAX_WORD = 24  # characters of the word before a name
    MAX_CHECKS = 8  # of names in a text: hostile ones have hundreds
    ALONE = 0
    SCHEME = 1  # of an authorization header
    STEM = 2  # part of the name of a secret
    WHOLE_STEM = 3  # the same, if no letter is beside it


cdef struct Literal:
    char text[40]
    int size
    int sort
    int following  # characters of a key that must follow
    int bits  # the detectors that it calls for


cdef struct Literals:
    Literal all[MAX_LITERALS]
    int begin[257]  # by first byte, where its literals begin; they are sorted


cdef Literals keys
cdef Literals words
TOOL = screening.ALL_BITS + 1
OPTION = TOOL << 1
PRINTING_TOOL = TOOL << 2
STDIN_OPTION = TOOL << 3
cdef int ASSIGNED = screening.BITS["assigned"]
cdef int HEADERS = screening.BITS["headers"]


cdef int _fill(Literals* into, uint8_t begin, entries) except -1:
    """Take (text, sort, following, bits) of ASCII texts of at least two characters."""
    cdef int n = 0, first
    cdef Literal* literal
    memset(into, 0, sizeof(Literals))
    for text, sort, following, bits in sorted(entries):
        data = text.encode("ascii")
        if not 2 <= len(data) < 40 or n == MAX_LITERALS:
            raise ValueError("a literal that does not fit")
        literal = &into.all[n]
        literal.size, literal.sort, literal.following, literal.bits = len(data), sort, following, bits
        memcpy(literal.text, <const char*>data, literal.size)
        _note_beginning(data, begin)
        n += 1
        for first in range(<int>data[0] + 1, 257):
            into.begin[first] = n
    return 0


cdef int _note_beginning(bytes data, uint8_t begin) except -1:
    cdef int pair = codes[<uint8_t>data[0]] << 10 | codes[<uint8_t>data[1]] << 5, third
    for third in range(32):
        if len(data) == 2 or third == codes[<uint8_t>data[2]]:
            beginnings[pair | third] |= begin
    return 0


cdef int _fill_foreign(ForeignStems* into, stems) except -1:
    cdef int place, code
    memset(into, 0, sizeof(ForeignStems))
    for code in range(CASED):
        lower = chr(code).lower()
        into.lower[code] = ord(lower) if len(lower) == 1 else code  # of the others none is taken for OTHER
    for stem in stems:
        last = max(at for at, char in enumerate(stem) if not char.isascii())
        end = 0
        for char in stem[max(0, last - 2) : last + 1]:
            end = end << 21 | ord(char)
        place = place_of(end)
        while into.ends[place] and into.ends[place] != end:
            place = (place + 1) & (STEMS - 1)
        into.ends[place] = end
    return 0


def _words():
    """Yield (text, sort, following, bits) of the words."""
    bits = screening.BITS
    for stem in screening.ASCII_STEMS:
        yield stem, WHOLE_STEM if stem in screening.WHOLE_STEMS else STEM, 0, bits["assigned"]
    for scheme in screening.SCHEMES:
        yield scheme, SCHEME, 0, bits["headers"]
    for detector, texts in (
        ("webhooks", screening.WEBHOOK_HOSTS), ("jwts", ["eyj"]), ("cookies", ["cookie"]),
        ("private_keys", ["ls0tls1crudjt", "private-lines"]), ("prefixed", screening.KEY_MARKS),
    ):
        for text in texts:
            yield text, ALONE, 0, bits[detector]
    for name in screening.TOOL_NAMES:
        yield name, ALONE, 0, TOOL
    for name in screening.PRINTING_TOOLS:
        yield name, ALONE, 0, PRINTING_TOOL
    for option in screening.STDIN_OPTIONS:
        yield option, ALONE, 0, STDIN_OPTION
    for text in ("pass:", "login "):
        yield text, ALONE, 0, OPTION


memset(beginnings, 0, sizeof(beginnings))
_fill(&words, WORD_BEGIN, _words())
_fill(&keys, KEY_BEGIN, [
    *((text, ALONE, following, screening.BITS["prefixed"]) for text, following in screening.KEY_PREFIXES),
    ("----BEGIN", ALONE, 0, screening.BITS["private_keys"]),
    ("---- BEGIN", ALONE, 0, screening.BITS["private_keys"]),
])
_fill_foreign(&foreign_stems, screening.FOREIGN_STEMS)


cdef int key_at(const NormalText* text, int at) noexcept:
    """Return the detectors of the prefixes of keys that stand here with enough behind them."""
    cdef int index, end, bits = 0
    cdef Literal* key
    for index in range(keys.begin[text.norm[at]], keys.begin[text.norm[at] + 1]):
        key = &keys.all[index]
        if key.text[1] == text.norm[at + 1] and memcmp(text.norm + at, key.text, key.size) == 0:
            end = at + key.size
            while end < at + key.size + key.following and kinds[text.norm[end]] & KEY:
                end += 1
            if end == at + key.size + key.following:
                bits |= key.bits
    return bits


cdef int word_at(NormalText* text, int at, int found) except -1:
    """Return the detectors of the words that stand here, apart from those that were found already."""
    cdef int index, bits = 0
    cdef Literal* word
    for index in range(words.begin[text.low[at]], words.begin[text.low[at] + 1]):
        word = &words.all[index]
        if word.text[1] == text.low[at + 1] and memcmp(text.low + at, word.text, word.size) == 0:
            if not word.bits & ~(found | bits) or (word.sort == WHOLE_STEM and _is_in_word(text, at, at + word.size)):
                continue
            if word.sort == SCHEME and not _has_credentials(text, at + word.size):
                continue
            if word.sort >= STEM and not _names_secret(text, at, word):
                continue
            bits |= word.bits
    return bits


cdef inline bint _is_in_word(const NormalText* text, int start, int end) noexcept:
    """Tell whether a letter of ASCII stands beside a word."""
    return (start and c'a' <= text.low[start - 1] <= c'z') or c'a' <= text.low[end] <= c'z'


cdef bint _has_credentials(const NormalText* text, int at) noexcept:
    """Tell whether what stands behind a scheme may be credentials: no word of small letters."""
    cdef int start
    cdef bint odd = False
    if text.norm[at] == c'"' or text.norm[at] == c"'":
        at += 1
    if text.norm[at] == c':':
        at += 1
    elif text.norm[at] != c' ':
        return False
    while text.norm[at] == c' ':
        at += 1
    if text.norm[at] == c'"' or text.norm[at] == c"'":
        at += 1
    start = at
    while kinds[text.norm[at]] & KEY:
        odd = odd or kinds[text.norm[at]] & DIGIT or c'A' <= text.norm[at] <= c'Z'
        at += 1
    return at - start >= MIN_LONG_WORD or (odd and at - start >= MIN_CREDENTIALS)


cdef int _names_secret(NormalText* text, int at, const Literal* stem) except -1:
    """Tell whether a part of a name belongs to the name of a secret, and a value follows.

    Of the first few names that may have one, llm_observe's own functions tell it.
    """
    if not _may_name_secret(text, at, at + stem.size):
        return False
    if text.checks == MAX_CHECKS:
        return True
    text.checks += 1
    original = (<const char*>text.original)[: text.original_size].decode()
    return screening.is_assigned(original, at, (<const char*>stem.text)[: stem.size].decode(), text.size)


cdef int _may_name_secret(const NormalText* text, int start, int end) except -1:
    """Tell whether a name of a secret stands here, and behind it what may be a value."""
    cdef int floor = max(0, start - MAX_NAME), before, limit
    while start > floor and (kinds[text.norm[start - 1]] & NAME or text.norm[start - 1] == c'$'):
        start -= 1
    limit = end + MAX_NAME
    while end < limit and (kinds[text.norm[end]] & NAME or text.norm[end] == c'$'):
        end += 1
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
    # An element's value follows its tag, whatever its attributes are.
    in_tag = start and (text.norm[start - 1] == c'<' or text.norm[start - 1] == c':')
    option = text.norm[start] == c'-' or (start and text.norm[start - 1] == c'-')
    if not (in_tag or option or may_have_value(text, start, end, PASSWORD)):
        return False
    name = bytes(text.norm[start:end]).decode("ascii")
    word = bytes(text.low[before:max(before, start - 1)]).decode("ascii")
    kind = <int>screening.kind_of(name, word)
    return kind and (in_tag or option or may_have_value(text, start, end, kind))


cdef int has_foreign_name(const uint8_t* data, Py_ssize_t size) except -1:
    """Tell whether a part of a secret's name stands here that is not ASCII."""
    return screening.has_foreign_stem(data[:size].decode().lower())
