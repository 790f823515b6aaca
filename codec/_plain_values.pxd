"""Values that may follow the name of a secret."""

from ._normal_text cimport NormalText

cdef enum:  # llm_observe's kinds of names
    KEY = 1
    TOKEN = 2
    SECRET = 3
    PASSWORD = 4

cdef int may_have_value(const NormalText* text, int start, int end, int kind) except -1
