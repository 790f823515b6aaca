from libc.stdint cimport uint8_t

cdef int suspects(const uint8_t* text, Py_ssize_t size, Py_ssize_t limit) except -1
