"""Numbers in few bytes, seven bits in each, the least significant first: the encoding of Protocol Buffers."""

from __future__ import annotations

from typing import Final

LOW_BITS: Final = 0x7F
MORE: Final = 0x80
"""Set in each byte but the last."""


def write_varint(value: int) -> bytes:
    """Return the bytes of a number that is not negative."""
    data = bytearray()
    while value > LOW_BITS:
        data.append(value & LOW_BITS | MORE)
        value >>= 7
    data.append(value)
    return bytes(data)


def zigzag(number: int) -> int:
    """Return a number that is not negative for one that may be: small for what is near 0."""
    return number << 1 if number >= 0 else ~(number << 1)
