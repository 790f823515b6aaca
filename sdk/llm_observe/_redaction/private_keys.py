"""Private keys: PEM blocks, also in base64 once more or cut, and PuTTY's."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.normalise import TextRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan

_BEGIN: Final = "-----BEGIN"
_SSH2_BEGIN: Final = "---- BEGIN SSH2"
_END: Final = re.compile(r"-{4,5} ?END[A-Za-z0-9 ]{0,40}-{4,5}")
_HEAD: Final = re.compile(
    r"-----BEGIN[A-Z0-9 ]{0,40}(?:PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1)-----"
    r"|---- BEGIN SSH2[A-Z ]{0,20} PRIVATE KEY ----"
)
_MAX_PEM_CHARS: Final = 16_000
_ENCODED: Final = ("LS0tLS1CRUdJTi", "LS0tLS1CRUdJTiB")
"""How a PEM block begins in base64."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{20,60000}={0,2}")
_HEAD_CHARS: Final = 64
_PUTTY: Final = re.compile(r"Private-Lines: {0,3}\d{1,4}\s{1,4}((?:[A-Za-z0-9+/=]{8,80}\s{0,4}){1,200})")


def find_private_keys(scan: Scan) -> Iterator[TextRange]:
    """Yield private keys, including those cut before their end."""
    text = scan.text
    for begin in (_BEGIN, _SSH2_BEGIN) if "BEGIN" in text else ():
        at = text.find(begin)
        while at >= 0:
            end = at + len(begin)
            if _HEAD.match(text, at):
                close = _END.search(text, end, at + _MAX_PEM_CHARS)
                end = close.end() if close is not None else min(len(text), at + _MAX_PEM_CHARS)
                yield TextRange(at, end, "PRIVATE_KEY")
            at = text.find(begin, end)
    if "LS0tLS1CRUdJTi" in text:
        yield from _find_encoded(text)
    if "Private-Lines:" in text:
        for match in _PUTTY.finditer(text):
            yield TextRange(match.start(1), match.start(1) + len(match.group(1).rstrip()), "PRIVATE_KEY")


def _find_encoded(text: str) -> Iterator[TextRange]:
    at = text.find(_ENCODED[0])
    while at >= 0:
        match = _BASE64.match(text, at)
        if match is not None and _is_private(match.group()[:_HEAD_CHARS]):
            yield TextRange(at, match.end(), "PRIVATE_KEY")
        at = text.find(_ENCODED[0], match.end() if match is not None else at + len(_ENCODED[0]))


def _is_private(encoded: str) -> bool:
    """Return whether the start of a PEM block in base64 announces a private key."""
    whole = encoded[: len(encoded) // 4 * 4]
    return b"PRIVATE KEY" in binascii.a2b_base64(whole)
