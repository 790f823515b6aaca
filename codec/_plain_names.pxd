"""Prefixes of keys, names of secrets and other words that call for a detector."""

from libc.stdint cimport uint8_t

from ._characters cimport TRIGRAMS
from ._normal_text cimport ForeignStems, NormalText

cdef enum:
    KEY_BEGIN = 1  # some key may begin with these three characters
    WORD_BEGIN = 2  # some word may

cdef uint8_t beginnings[TRIGRAMS]
cdef ForeignStems foreign_stems
cdef int key_at(const NormalText* text, int at) noexcept
cdef int word_at(NormalText* text, int at, int found) except -1
cdef int has_foreign_name(const uint8_t* data, Py_ssize_t size) except -1
cdef int TOOL  # beside the bits of detectors: the name of a command-line tool
cdef int OPTION  # what may stand before one of its options
cdef int PRINTING_TOOL  # the name of a tool that prints a secret
cdef int STDIN_OPTION  # an option that has it read
