"""Classes of characters, by byte of a normal text."""

from libc.stdint cimport uint8_t, uint16_t

cdef enum:
    DIGIT = 1
    LETTER = 2
    ALNUM = DIGIT | LETTER
    HEX = 4
    SPACE = 8
    KEY = 16  # may stand in a key, its prefix included
    NAME = 32  # may stand in the name of a variable
    GAP = 64  # may stand between the digits of one number
    MARK = 128  # is looked at wherever it stands
    TIE = 256  # may tie a value to a name, or begin a value that is a secret
    RUN = 512  # may stand in a long run, in which keys without a known prefix are looked for
    ADDRESS = 1024  # may stand in an IPv6 address


cdef uint16_t kinds[256]
cdef uint8_t codes[256]  # below 32: the same for both cases of a letter, and for all digits


cdef inline int trigram(uint8_t first, uint8_t second, uint8_t third) noexcept:
    """Return a number below TRIGRAMS that texts of the same three letters have in common."""
    return codes[first] << 10 | codes[second] << 5 | codes[third]


cdef enum:
    TRIGRAMS = 1 << 15
