"""What a log costs."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from codec._fields cimport Fields


cdef struct Price:
    int64_t cost  # in nano-dollars; -1 is unknown
    PyObject* version  # bytes that the table keeps


cdef class PriceTable:
    """The rates of a price book, as they are found here."""

    cdef readonly object book
    cdef dict cards  # by provider, model and service tier
    cdef dict versions  # as bytes, to which prices refer


cdef int find_price(PriceTable table, const Fields* fields, Price* into) except -1
