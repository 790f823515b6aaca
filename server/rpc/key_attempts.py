"""Bounds how many wrong keys an address may try: each is a question to the database."""

from __future__ import annotations

import time
from collections import Counter
from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from server.rpc.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW_S: Final = 60
_MAX_PEERS: Final = 10_000
_HOST_BITS: Final = 64
"""Of an IPv6 address: a host chooses the others as it likes."""


class KeyAttempts:
    """Counts the wrong keys of each address in this process and minute; of IPv6, those of each /64.

    Args:
        limit: How many an address may try in a minute; 0 means any number.
        clock: Seconds, monotonic.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._window = 0
        self._failures: Counter[str] = Counter()

    def check(self, address: str) -> None:
        """Check that an address may try another key.

        Raises:
            RateLimited: Not in this minute.
        """
        now = self._clock()
        self._begin_window(now)
        if self._limit and self._failures[_host_of(address)] >= self._limit:
            raise RateLimited(self._limit, _WINDOW_S, retry_after_s=(self._window + 1) * _WINDOW_S - now)

    def count(self, address: str) -> None:
        """Count a wrong key."""
        self._begin_window(self._clock())
        address = _host_of(address)
        if len(self._failures) < _MAX_PEERS or address in self._failures:
            self._failures[address] += 1

    def _begin_window(self, now: float) -> None:
        window = int(now // _WINDOW_S)
        if window != self._window:
            self._window = window
            self._failures.clear()


def _host_of(address: str) -> str:
    """Return what stands for the host of an address as gRPC writes it, such as ``ipv6:%5B2001:db8::1%5D``."""
    if not address.startswith("ipv6:"):
        return address
    try:
        ip = IPv6Address(unquote(address.removeprefix("ipv6:")).strip("[]"))
    except ValueError:
        return address
    return f"ipv4:{ip.ipv4_mapped}" if ip.ipv4_mapped else str(IPv6Network((ip, _HOST_BITS), strict=False))
