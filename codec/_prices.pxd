"""What a log costs."""

from libc.stdint cimport int64_t

from codec._fields cimport Fields
from codec._wire cimport Reader


cdef struct Price:
    int64_t cost  # in nano-dollars; -1 is unknown
    Reader version


cdef class PriceTable:
    """The rates of a price book, as they are found here."""

    cdef readonly object book
    cdef dict cards  # by provider, model and service tier
    cdef dict versions  # the bytes that prices refer to


cdef int find_price(PriceTable table, const Fields* fields, Price* into) except -1
