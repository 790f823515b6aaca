"""A log's fields as tuples of COPY's binary format."""

from libc.stdint cimport int64_t, uint8_t

from codec._fields cimport Fields
from codec._wire cimport Reader


cdef bytes pack_row(const Fields* fields, bytes project, int64_t received)
cdef bytes pack_key(const Fields* fields, bytes project, int64_t received)
cdef int write_uuid(Reader text, uint8_t* into) noexcept
cdef Reader operation_of(const Fields* fields) noexcept
cdef int64_t moment_us(const Fields* fields, int field) noexcept
cdef int64_t span_us(const Fields* fields, int field) noexcept
cdef int64_t hour_us(const Fields* fields) noexcept
cdef int bucket_of(const Fields* fields, int field) noexcept
