"""Numbers that may be a person's."""

from ._normal_text cimport NormalText

cdef int end_of_number(const NormalText* text, int start) except 0
