# cython: language_level=3, wraparound=False
"""Tells which detectors of llm_observe.redaction could find something in a text; mostly none could.

A conservative screen: a detector whose bit is not set provably finds nothing. For each it looks for less than that
detector needs to begin with, such as the @ of an email address.
"""

from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memcmp, memset

from ._characters cimport (
    ADDRESS, ALNUM, DIGIT, HEX, LETTER, MARK, RUN, SPACE, TRIGRAMS, codes, kinds,
)
from ._normal_text cimport OTHER, NormalText, normalise
from ._plain_names cimport (
    KEY_BEGIN, OPTION, PRINTING_TOOL, STDIN_OPTION, TOOL, WORD_BEGIN, beginnings, foreign_stems, has_foreign_name, key_at,
    word_at,
)
from ._plain_numbers cimport end_of_number

from llm_observe import screening

cdef enum:
    MIN_WALLET = 26  # letters and digits of the shortest wallet
    MAX_WALLET = 35  # of the longest without a prefix
    TRON_WALLET = 34
    HEX_WALLET = 42  # 0x included
    MIN_RUN = 20  # characters of a run
    MIN_CHANGES = 5  # between digits, capitals and others, in the shortest key without a known prefix
    MIN_HASH = 12  # digits and letters up to f, behind a word that says it is a secret
    UUID = 36
    MIN_RUN_PART = 12  # letters and digits before the exclamation mark of a token
    MIN_IPV6 = 6  # characters
    MIN_COLONS = 6  # of an IPv6 address without two in a row
    MAX_IBAN_GAP = 2
    IBAN_NAME_CHARS = 24  # before an IBAN, in which its name may stand
    MIN_URL_TOKEN = 16  # characters of a token before the @ of a URL

cdef dict _bits = screening.BITS
cdef int ALL = screening.ALL_BITS
cdef int ASSIGNED = _bits["assigned"]
cdef int COMMANDS = _bits["commands"]
cdef int EMAILS = _bits["emails"]
cdef int IBANS = _bits["ibans"]
cdef int MACHINE_ADDRESSES = _bits["machine_addresses"]
cdef int NATIONAL_IDS = _bits["national_ids"]
cdef int NUMBERS = _bits["numbers"]
cdef int PREFIXED = _bits["prefixed"]
cdef int URL_PASSWORDS = _bits["url_passwords"]
cdef int WALLETS = _bits["wallets"]
cdef int WEBHOOKS = _bits["webhooks"]
cdef uint8_t ibans[26][26]  # lengths by country

memset(ibans, 0, sizeof(ibans))
for _country, _length in screening.IBAN_LENGTHS.items():
    ibans[<int>ord(_country[0]) - c'A'][<int>ord(_country[1]) - c'A'] = _length


cdef int suspects(const uint8_t* data, Py_ssize_t size, Py_ssize_t limit) except -1:
    """Return the detectors that could find something in a text of up to ``limit`` characters, a bit each."""
    cdef NormalText normal
    cdef NormalText* text = &normal
    cdef int n = normalise(data, size, &foreign_stems, &normal)
    cdef int at = 0, three, found = 0, number_end = 0, run_end = 0, colons_end = 0
    cdef uint16_t kind, before
    cdef uint8_t begins
    if n < 0 or n > limit:
        return ALL
    three = codes[text.norm[0]] << 5 | codes[text.norm[1]]
    while True:
        at = _end_of_common(text.norm, at, &three)
        if at == n:
            break
        kind, before = kinds[text.norm[at]], kinds[text.norm[at - 1]] if at else 0
        begins = beginnings[three]
        if begins & KEY_BEGIN and not before & ALNUM:
            found |= key_at(text, at)
        if begins & WORD_BEGIN:
            found |= word_at(text, at, found)
        if kind & DIGIT:
            if not before & DIGIT:
                found |= NATIONAL_IDS | _number_at(text, at, &number_end)
                if at >= run_end:
                    found |= _run_at(text, at, &run_end)
        elif kind & MARK:
            found |= _mark_at(text, at, before, &colons_end)
        at += 1
    if (found & TOOL and found & OPTION) or (found & PRINTING_TOOL and found & STDIN_OPTION):
        found |= COMMANDS
    if normal.foreign and not found & ASSIGNED and has_foreign_name(data, size):
        found |= ASSIGNED
    return found & ALL


cdef inline int _end_of_common(const uint8_t* norm, int at, int* three) noexcept:
    """Return where something may begin, from here on: a word, a digit or a mark; or the end.

    The three characters there go to ``three``, the two before the first are in it.
    """
    cdef const uint16_t* kind_of = kinds
    cdef const uint8_t* code_of = codes
    cdef const uint8_t* begins_at = beginnings
    cdef int last = three[0]
    while True:
        last = (last << 5 | code_of[norm[at + 2]]) & (TRIGRAMS - 1)
        if begins_at[last] or kind_of[norm[at]] & (DIGIT | MARK):  # as the end is
            break
        at += 1
    three[0] = last
    return at


cdef int _number_at(const NormalText* text, int at, int* number_end) except -1:
    """Return the detectors of numbers that may begin with the digit here."""
    cdef int found = 0, end
    if at >= number_end[0]:
        end = end_of_number(text, at)
        if end < 0:
            found, end = NUMBERS, -end
        number_end[0] = end
    if _is_dotted(text, at):
        found |= MACHINE_ADDRESSES
    if at > 1 and _is_iban(text, at - 2):
        found |= IBANS
    return found


cdef bint _is_dotted(const NormalText* text, int at) noexcept:
    """Tell whether four numbers of up to three digits begin here, with a dot between them."""
    cdef int part, size
    for part in range(4):
        size = 0
        while kinds[text.norm[at]] & DIGIT:
            size += 1
            at += 1
        if not 1 <= size <= 3 or (part < 3 and text.norm[at] != c'.'):
            return False
        at += 1
    return True


cdef bint _is_iban(const NormalText* text, int at) noexcept:
    """Tell whether an IBAN stands here: as many letters and digits as its country's have, checked or named."""
    cdef int left, gap = 0, place = 0, remainder = 0
    cdef uint8_t first[4]
    if not kinds[text.norm[at]] & kinds[text.norm[at + 1]] & LETTER or not kinds[text.norm[at + 3]] & DIGIT:
        return False
    left = ibans[text.low[at] - c'a'][text.low[at + 1] - c'a']
    if not left:
        return False
    if _is_named_iban(text, at):
        return True
    while text.norm[at]:
        if kinds[text.norm[at]] & ALNUM:
            if place < 4:
                first[place] = text.low[at]
            else:
                remainder = _continue_remainder(remainder, text.low[at])
            place += 1
            gap = 0
            if place == left:
                for place in range(4):
                    remainder = _continue_remainder(remainder, first[place])
                return remainder == 1
        elif gap < MAX_IBAN_GAP and (text.norm[at] == c' ' or text.norm[at] == c'-' or text.norm[at] == c'.'):
            gap += 1
        else:
            return False
        at += 1
    return False


cdef inline int _continue_remainder(int remainder, uint8_t sign) noexcept:
    """Return a number modulo 97 with a digit, or the two of a letter, appended (ISO 13616)."""
    if kinds[sign] & DIGIT:
        return (remainder * 10 + sign - c'0') % 97
    return (remainder * 100 + sign - c'a' + 10) % 97


cdef inline bint _is_named_iban(const NormalText* text, int at) noexcept:
    cdef int start
    for start in range(max(0, at - IBAN_NAME_CHARS), at - 3):
        if memcmp(text.low + start, b"iban", 4) == 0:
            return True
    return False


cdef int _mark_at(const NormalText* text, int at, uint16_t before, int* colons_end) noexcept:
    """Return the detectors of what the mark here may belong to: an address, a key or an option of a command."""
    cdef uint8_t mark = text.norm[at], after = text.norm[at + 1]
    cdef int found = 0
    if mark == c'@':
        return _at_sign(text, at, before)
    if mark == c'/':
        return OPTION if before & SPACE and (after == c'p' or after == c'u') else 0
    if mark == c'~':  # a key of Microsoft Entra
        return PREFIXED if at and text.norm[at - 1] == c'Q' else 0
    if mark == c'!':  # a token of Salesforce
        return PREFIXED if _is_behind_run(text, at) else 0
    if mark == c'-' and before & SPACE and (
        kinds[after] & LETTER or (after == c'-' and kinds[text.norm[at + 2]] & LETTER)
    ):
        found = OPTION
    if mark == c':':
        if before & DIGIT and after == c'A':  # the key of a Telegram bot
            found |= WEBHOOKS
        if at >= colons_end[0] and _is_ipv6(text, at, colons_end):
            found |= MACHINE_ADDRESSES
    return found | MACHINE_ADDRESSES if _is_mac(text, at) else found


cdef int _at_sign(const NormalText* text, int at, uint16_t before) noexcept:
    """Return the detectors of an address or a password that may stand before an @."""
    cdef uint8_t after = text.norm[at + 1]
    cdef int start = at, found
    if not at or before & SPACE:
        return 0
    found = EMAILS if kinds[after] & ALNUM or after == OTHER else 0
    while start and not kinds[text.norm[start - 1]] & SPACE and at - start < MIN_URL_TOKEN:
        start -= 1
        if text.norm[start] == c':' or text.norm[start] == c'/':
            return found | URL_PASSWORDS
    return found | URL_PASSWORDS if at - start == MIN_URL_TOKEN else found


cdef bint _is_behind_run(const NormalText* text, int at) noexcept:
    cdef int start = at
    while start and kinds[text.norm[start - 1]] & ALNUM:
        start -= 1
    return at - start >= MIN_RUN_PART


cdef bint _is_ipv6(const NormalText* text, int at, int* end) noexcept:
    """Tell whether the colon here is in what may be an address; note where that ends."""
    cdef int start = at, colons = 0
    cdef bint digit = False, double_colon = False
    while start and kinds[text.norm[start - 1]] & ADDRESS:
        start -= 1
    end[0] = start
    while kinds[text.norm[end[0]]] & ADDRESS:
        if text.norm[end[0]] == c':':
            colons += 1
            double_colon = double_colon or text.norm[end[0] + 1] == c':'
        digit = digit or kinds[text.norm[end[0]]] & DIGIT
        end[0] += 1
    return digit and (double_colon or colons >= MIN_COLONS) and end[0] - start >= MIN_IPV6


cdef bint _is_mac(const NormalText* text, int at) noexcept:
    """Tell whether the sign here is the first one of the address of a network card."""
    cdef uint8_t sign = text.norm[at]
    cdef int size = 4 if sign == c'.' else 2, count = 2 if sign == c'.' else 5, part
    if at < size or not _are_hex(text, at - size, size):
        return False
    for part in range(count):
        if text.norm[at] != sign or not _are_hex(text, at + 1, size):
            return False
        at += size + 1
    return True


cdef inline bint _are_hex(const NormalText* text, int at, int count) noexcept:
    cdef int index
    for index in range(at, at + count):
        if not kinds[text.norm[index]] & HEX:
            return False
    return True


cdef int _run_at(const NormalText* text, int digit, int* run_end) noexcept:
    """Return the detectors of what letters, digits, underscores and dashes may be, if the run of them is long.

    The digit is the first one of the run, whose end goes to ``run_end``.
    """
    cdef int start = digit, end = digit, found, at, size = 0
    while start and kinds[text.norm[start - 1]] & RUN:
        start -= 1
    while kinds[text.norm[end]] & RUN:
        end += 1
    run_end[0] = end
    if end - start < MIN_RUN:
        return 0
    found = PREFIXED if _may_be_unseen_key(text, start, end) else 0
    for at in range(start, end + 1):
        if kinds[text.norm[at]] & ALNUM:
            size += 1
            continue
        if size >= MIN_WALLET and _may_be_wallet(text, at - size, at):
            return found | WALLETS
        size = 0
    return found


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
    cdef int at, changes = 0, sort, before = 0, hexadecimal = 0
    cdef bint joined = False, dashed = False, hashed = False
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
        dashed = dashed or char == c'-'
        hexadecimal = hexadecimal + 1 if kinds[char] & HEX else 0
        hashed = hashed or hexadecimal == MIN_HASH
        if char == c'-' and text.norm[at + 1] == c'u' and text.norm[at + 2] == c's':  # Mailchimp
            return True
    return joined and (changes >= MIN_CHANGES or (dashed and hashed)) and not _is_uuid(text, start, end)


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


def suspects_in(str text not None, Py_ssize_t limit=500):
    """suspects() of a text."""
    cdef bytes data = text.encode(errors="surrogatepass")
    return suspects(data, len(data), limit)
