"""Addresses of people and machines: email, IPv4, IPv6, MAC, cryptocurrency wallets.

The edges of an address are the edges of its own characters: what else stands beside it decides nothing.
"""

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
    r"\.(?:xn--[a-z0-9-]{2,40}|[A-Za-z]{2,24}|[^\W\d_]{2,24})"
)
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d|0\d\d)"
_IPV4: Final = re.compile(r"\d(?<!\d\d)(?<!\d\.\d)\d{0,2}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?!\d|\.\d)")
_DOTTED: Final = re.compile(r"\.\d{1,3}\.\d")
_VERSION: Final = re.compile(
    r"(?:(?<![a-z])(?:version|versión|versão|versie|wersja|sürüm|версия|ver|rel|release|section|clause|chapter|rev"
    r"|revision|build|kernel|firmware|driver|§+)|版本|バージョン|버전|[a-z]{3}/|[=~<>^]=)[ .:=/#\"'(]{0,3}v?$"
    r"|(?<![a-z])v\.?$|§ ?$"
)
_FILE: Final = re.compile(
    r"[-+.](?:tar|zip|whl|jar|dll|exe|deb|rpm|tgz|gz|msi|apk|dmg|nupkg|post|rc|beta|alpha|dev)"
)
_NETWORK_WORDS: Final = (
    "ip", "host", "server", "addr", "peer", "client", "ping", "ssh", "dns", "gateway", "node", "proxy",
    "subnet", "://", "@", "remote", "connect", "inet", "listen", "bind", "route", "地址", "адрес",
)  # fmt: skip
_OCTETS: Final = 256
_LOW_OCTET: Final = 32
_IPV6_MIDDLE: Final = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IPV6: Final = re.compile(
    rf"(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:{_OCTET}(?:\.{_OCTET}){{3}}|[0-9A-Fa-f]{{1,4}})?"
    r"(?![0-9A-Fa-f]{0,4}:)"
)
_HEX: Final = "0123456789abcdefABCDEF"
_MAC_MIDDLE: Final = re.compile(r"[:-](?=[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-])|\.(?=[0-9A-Fa-f]{4}\.)")
_MAC: Final = re.compile(
    r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?!\1?[0-9A-Fa-f]{2}\b)(?![0-9A-Fa-f])"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![0-9A-Fa-f.])"
)
_AS_IN_MAC: Final = bytes.maketrans(b"a-", b"0:")
_NO_DEVICE: Final = frozenset(
    {"aabbccddeeff", "0123456789ab", "001122334455", "112233445566", "123456789abc"}
)
_MIN_WALLET_CHARS: Final = 26
_WALLET: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:0x[0-9a-fA-F]{40}|(?:bc1|tb1|ltc1)[a-z0-9]{25,62}|[13LM][1-9A-HJ-NP-Za-km-z]{25,34}"
    r"|T[1-9A-HJ-NP-Za-km-z]{33})(?![A-Za-z0-9])"
)


def find_emails(scan: Scan) -> Iterator[TextRange]:
    """Yield email addresses, international ones too (RFC 5321, RFC 6531)."""
    text = scan.text
    at = text.find("@")
    while at >= 0:
        start = _start_of_local(text, at)
        domain = _DOMAIN.match(text, at + 1) if start < at else None
        if domain is not None:
            yield TextRange(start, domain.end(), "EMAIL")
        at = text.find("@", at + 1)


def _start_of_local(text: str, at: int) -> int:
    start, floor = at, max(0, at - _MAX_LOCAL_CHARS)
    if at and text[at - 1] == '"':
        quote = text.rfind('"', floor, at - 1)
        return quote if quote >= 0 and "\n" not in text[quote:at] else at
    while start > floor and (text[start - 1] in _LOCAL or _FIRST_LETTER <= text[start - 1] < _FIRST_CJK):
        start -= 1
    if start == at:  # the local part is in a script without spaces, such as Chinese
        while start > floor and (text[start - 1].isalnum() or text[start - 1] in "._-+"):
            start -= 1
    # Characters that only separate the address from its neighbours are not part of it.
    while start < at and text[start] in ".=?&'`#{|*~":
        start += 1
    equals = max(text.rfind("=", start, at), text.rfind("|", start, at), text.rfind("&", start, at))
    return equals + 1 if equals >= 0 else start


def find_machine_addresses(scan: Scan) -> Iterator[TextRange]:
    """Yield IP and MAC addresses."""
    text = scan.text
    if _DOTTED.search(text):
        yield from _find_ipv4(text, scan.lowered)
    if scan.classes.count(b":") > 1 and b"0" in scan.classes:
        yield from _find_ipv6(text)
    hexadecimals = scan.classes.translate(_AS_IN_MAC)
    if b":00:00:" in hexadecimals or b".0000." in hexadecimals:
        yield from _find_macs(text)


def _find_ipv4(text: str, lowered: str) -> Iterator[TextRange]:
    for match in _IPV4.finditer(text):
        start, end = match.span()
        if max(map(int, match.group().split("."))) < _OCTETS and not _is_version(
            match.group(), lowered[max(0, start - 24) : start], text[end : end + 6]
        ):
            yield TextRange(start, end, "IP_ADDRESS")


def _is_version(shown: str, before: str, after: str) -> bool:
    """Return whether four numbers are a version: called one, or all small and not called an address."""
    if _VERSION.search(before) or _FILE.match(after):
        return True
    octets = [int(octet) for octet in shown.split(".")]
    if max(octets) >= _LOW_OCTET or octets[0] in {10, 127} or len(set(octets)) == 1:
        return False
    return not (after[:1] in {":", "/"} and after[1:2].isdigit()) and not any(
        word in before for word in _NETWORK_WORDS
    )


def _find_macs(text: str) -> Iterator[TextRange]:
    for middle in _MAC_MIDDLE.finditer(text):
        start = middle.start() - (4 if middle.group()[0] == "." else 2)
        match = _MAC.match(text, start) if start >= 0 else None
        if match is None:
            continue
        sign = match.group()[2] if match.group(1) else "."
        digits = match.group().translate({ord(sign): None}).lower()
        longer = start > 1 and text[start - 1] == sign and text[start - 2] in _HEX
        if not longer and len(set(digits)) > 1 and digits not in _NO_DEVICE:
            yield TextRange(start, match.end(), "MAC_ADDRESS")


def _find_ipv6(text: str) -> Iterator[TextRange]:
    done = 0
    for middle in _IPV6_MIDDLE.finditer(text):
        start = middle.start()
        if start < done:
            continue
        group = text[max(0, start - 4) : start]
        begin = start - len(group) + len(group.rstrip(_HEX))
        match = None
        # After a word and a colon (IPv6:fe80::1) the address begins behind the colon.
        for first in (begin, start + 1) if text[start + 1] != ":" else (begin, start):
            match = _IPV6.match(text, first)
            if match is not None and _is_ipv6(
                match.group(), text[first - 1 : first] if first else "", text[match.end() : match.end() + 1]
            ):
                yield TextRange(first, match.end(), "IP_ADDRESS")
                break
        done = match.end() if match is not None else middle.end() - 1


def _is_ipv6(shown: str, before: str, after: str) -> bool:
    if len(shown) < 6 or not any(char.isdigit() for char in shown):  # noqa: PLR2004 - a::b is code
        return False
    if before.isascii() and (before.isalnum() or before == "_"):
        return False
    if after.isascii() and (after.isalpha() or after == "_"):
        return False
    try:
        ipaddress.IPv6Address(shown)
    except ValueError:
        return False
    return True


def find_wallets(scan: Scan) -> Iterator[TextRange]:
    """Yield addresses of cryptocurrency wallets."""
    text = scan.text
    if scan.words.longest < _MIN_WALLET_CHARS or not _WALLET.search("\n".join(scan.words.runs)):
        return
    for match in _WALLET.finditer(text):
        shown = match.group()
        if shown.startswith(("0x", "bc1", "tb1", "ltc1")) or (
            any(char.isdigit() for char in shown[1:]) and shown != shown.upper() and shown != shown.lower()
        ):
            yield TextRange(match.start(), match.end(), "WALLET")
