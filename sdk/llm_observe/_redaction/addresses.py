"""Addresses of people and machines: email, IPv4, IPv6, MAC, cryptocurrency wallets."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.normalise import TextRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan

_LOCAL: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$&'*+=?^_`{|}~-")
_FIRST_LETTER: Final = "\u00c0"
_FIRST_CJK: Final = "\u2e80"
_MAX_LOCAL_CHARS: Final = 64
_DOMAIN: Final = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){0,7}(?=[\w-]{0,62}[^\W\d_])[^\W_](?:[\w-]{0,61}[^\W_])?"
    r"\.(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,40})"
)
_IPV4: Final = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w-]|\.\d)")
_VERSION: Final = re.compile(
    r"(?i)(?:version|ver|v|release|section|rev|kernel|chrome/|safari/|build)[ :=/]{0,3}$"
)
_IPV6_MIDDLE: Final = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IPV6: Final = re.compile(r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})?(?![\w:])")
_HEX: Final = "0123456789abcdefABCDEF"
_MAC_MIDDLE: Final = re.compile(r"[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|\.[0-9A-Fa-f]{4}\.")
_MAC: Final = re.compile(
    r"(?:[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![\w:-])"
)
_MIN_WALLET_CHARS: Final = 26
_WALLET: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:0x[0-9a-fA-F]{40}|(?:bc1|tb1|ltc1)[a-z0-9]{25,62}|[13LM][1-9A-HJ-NP-Za-km-z]{25,34}"
    r"|T[1-9A-HJ-NP-Za-km-z]{33})(?![A-Za-z0-9])"
)


def find_emails(scan: Scan) -> Iterator[TextRange]:
    """Yield email addresses, international and URL-encoded ones too (RFC 5321, RFC 6531)."""
    text = scan.text
    for sign in ("@", "%40"):
        at = text.find(sign)
        while at >= 0:
            start = _start_of_local(text, at)
            domain = _DOMAIN.match(text, at + len(sign)) if start < at else None
            if domain is not None:
                yield TextRange(start, domain.end(), "EMAIL")
            at = text.find(sign, at + len(sign))


def _start_of_local(text: str, at: int) -> int:
    start, floor = at, max(0, at - _MAX_LOCAL_CHARS)
    while start > floor and (text[start - 1] in _LOCAL or _FIRST_LETTER <= text[start - 1] < _FIRST_CJK):
        start -= 1
    if start == at:  # the local part is in a script without spaces, such as Chinese
        while start > floor and text[start - 1].isalnum():
            start -= 1
    # Characters that only separate the address from its neighbours are not part of it.
    while start < at and text[start] in ".=?&'`#{|*":
        start += 1
    equals = text.rfind("=", start, at)
    return equals + 1 if equals >= 0 else start


def find_machine_addresses(scan: Scan) -> Iterator[TextRange]:
    """Yield IP and MAC addresses."""
    text = scan.text
    dots, colons = text.count("."), text.count(":")
    if dots > 2:  # noqa: PLR2004 - an IPv4 address has three
        yield from _find_ipv4(text)
    if _MAC_MIDDLE.search(scan.joined):
        yield from _find_macs(text)
    if colons > 1:
        yield from _find_ipv6(text)


def _find_ipv4(text: str) -> Iterator[TextRange]:
    for match in _IPV4.finditer(text):
        before = text[max(0, match.start() - 12) : match.start()]
        if before and (before[-1].isalnum() or before[-1] in "_.-"):
            continue
        if max(map(int, match.groups())) < 256 and not _VERSION.search(before):  # noqa: PLR2004 - an octet
            yield TextRange(match.start(), match.end(), "IP_ADDRESS")


def _find_macs(text: str) -> Iterator[TextRange]:
    for middle in _MAC_MIDDLE.finditer(text):
        start = middle.start() - (4 if middle.group()[0] == "." else 2)
        match = _MAC.match(text, start) if start >= 0 else None
        if match is not None and not (start and (text[start - 1].isalnum() or text[start - 1] in "_:-")):
            yield TextRange(start, match.end(), "MAC_ADDRESS")


def _find_ipv6(text: str) -> Iterator[TextRange]:
    done = 0
    for middle in _IPV6_MIDDLE.finditer(text):
        start = middle.start()
        if start < done:
            continue
        start -= len(text[max(0, start - 4) : start]) - len(text[max(0, start - 4) : start].rstrip(_HEX))
        match = _IPV6.match(text, start)
        done = match.end() if match is not None else middle.end() - 1
        if match is not None and _is_ipv6(match.group(), text[start - 1 : start] if start else ""):
            yield TextRange(start, match.end(), "IP_ADDRESS")


def _is_ipv6(shown: str, before: str) -> bool:
    if len(shown) < 6 or not any(char.isdigit() for char in shown):  # noqa: PLR2004 - a::b is code
        return False
    if before and (before.isalnum() or before in "_:."):
        return False
    try:
        ipaddress.IPv6Address(shown)
    except ValueError:
        return False
    return True


def find_wallets(scan: Scan) -> Iterator[TextRange]:
    """Yield addresses of cryptocurrency wallets."""
    text = scan.text
    if scan.longest < _MIN_WALLET_CHARS or not _WALLET.search(scan.joined):
        return
    for match in _WALLET.finditer(text):
        shown = match.group()
        if shown.startswith(("0x", "bc1", "tb1", "ltc1")) or (
            any(char.isdigit() for char in shown[1:]) and shown != shown.upper() and shown != shown.lower()
        ):
            yield TextRange(match.start(), match.end(), "WALLET")
