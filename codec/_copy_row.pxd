"""A log's fields as tuples of COPY's binary format."""

from libc.stdint cimport int64_t, uint8_t

from codec._fields cimport Fields
from codec._prices cimport Price
from codec._wire cimport Reader


cdef class RowWriter:
    """The buffer in which one tuple is made after the other; it grows when it must."""

    cdef uint8_t* data
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity


cdef bytes pack_row(RowWriter row, const Fields* fields, const Price* price, bytes project, int64_t received)
cdef bytes pack_key(RowWriter row, const Fields* fields, bytes project, int64_t received)
cdef bytes pack_delta(
    RowWriter row, bytes group, const int64_t* sums, bytes latency_sketch, bytes ttft_sketch, bytes error_codes
)
cdef int write_uuid(Reader text, uint8_t* into) noexcept
cdef Reader operation_of(const Fields* fields) noexcept
cdef int64_t timestamp_us(const Fields* fields, int field) noexcept
cdef int64_t duration_us(const Fields* fields, int field) noexcept
cdef int64_t minute_us(const Fields* fields) noexcept
cdef int bucket_of(const Fields* fields, int field) noexcept
