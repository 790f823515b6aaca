"""Reading protobuf's wire format off bytes. Every byte is read by varint() or take(), which stop at the end.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef enum:
    VARINT = 0
    BYTES = 2
    NANOS = 1_000_000_000


cdef struct Reader:
    const uint8_t* at
    const uint8_t* end
    bint sound  # false once something could not be read


cdef struct TimeValue:  # a Timestamp or a Duration
    int64_t seconds
    int64_t nanos


cdef inline Reader reader_of(const uint8_t* data, Py_ssize_t size) noexcept:
    cdef Reader r
    r.at, r.end, r.sound = data, data + size, True
    return r


cdef inline uint64_t varint(Reader* r) noexcept:
    cdef uint64_t value = 0
    cdef int shift = 0
    cdef uint8_t byte
    while r.at < r.end and shift < 63:  # nine bytes: longer ones are negative, which nothing here may be
        byte = r.at[0]
        r.at += 1
        value |= <uint64_t>(byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:  # longer than need be: readers differ in how much of that they take
                break
            return value
        shift += 7
    r.sound = False
    return 0


cdef inline Reader take(Reader* r) noexcept:
    """Return the bytes that a length announces."""
    cdef Reader part
    cdef uint64_t size = varint(r)
    part.at = r.at
    part.sound = r.sound and size <= <uint64_t>(r.end - r.at)
    if part.sound:
        r.at += size
    else:
        r.sound = False
    part.end = r.at
    return part


cdef inline bint read_time(Reader r, int64_t max_seconds, TimeValue* into) noexcept:
    """Read a Timestamp or a Duration; False where it is unusual, or has more seconds."""
    cdef uint64_t tag, value
    into.seconds = into.nanos = 0
    while r.sound and r.at < r.end:
        tag = varint(&r)
        value = varint(&r)
        if tag == (1 << 3 | VARINT):
            into.seconds = <int64_t>value
        elif tag == (2 << 3 | VARINT):
            into.nanos = <int64_t>value
        else:
            return False
    return r.sound and into.seconds <= max_seconds and into.nanos < NANOS


cdef inline int hex_digit(uint8_t digit) noexcept:
    """Return the value of a lower-case digit, or -1."""
    if c'0' <= digit <= c'9':
        return digit - c'0'
    if c'a' <= digit <= c'f':
        return digit - c'a' + 10
    return -1
