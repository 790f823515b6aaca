"""Passwords in URLs and in the connection strings that are no URLs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.credentials import looks_random
from llm_observe._redaction.normalise import TextRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan

_LOGIN: Final = re.compile(r"([^\s:/@\"'<>]{0,200}):([^\s\"'<>]{1,200})@")
_PATH: Final = re.compile(r"\d{1,5}/")
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{16,200})@")
_GO: Final = re.compile(r"[^\s:/@\"']{1,64}:([^\s\"'/]{1,128})@(?:tcp|unix|udp)\(")
_ORACLE: Final = re.compile(
    r"(?i:oracle:(?:thin|oci):)?(?<![\w/])[A-Za-z][\w.$]{0,40}/([^\s\"'/@]{3,64})@(?://)?[A-Za-z0-9]"
)
_ORACLE_TOOLS: Final = ("oracle:", "sqlplus", "sqlldr", "expdp", "impdp", "rman")
_PLACEHOLDERS: Final = ("$", "{", "%s", "<", "[", "***")


def find_url_passwords(scan: Scan) -> Iterator[TextRange]:
    """Yield passwords and tokens before the @ of a URL or of a driver's connection string."""
    text = scan.text
    if "@" not in text:
        return
    at = text.find("://")
    while at >= 0:
        match = _LOGIN.match(text, at + 3)
        if match is not None and _is_password(match.group(2)):
            yield TextRange(match.start(2), match.end(2), "URL_PASSWORD")
        token = _TOKEN.match(text, at + 3)
        if token is not None and looks_random(token.group(1)):
            yield TextRange(token.start(1), token.end(1), "URL_PASSWORD")
        at = text.find("://", at + 3)
    if "@tcp(" in text or "@unix(" in text or "@udp(" in text:
        for match in _GO.finditer(text):
            yield TextRange(match.start(1), match.end(1), "URL_PASSWORD")
    if any(tool in scan.lowered for tool in _ORACLE_TOOLS):
        for match in _ORACLE.finditer(text):
            yield TextRange(match.start(1), match.end(1), "URL_PASSWORD")


def _is_password(value: str) -> bool:
    if value.startswith(_PLACEHOLDERS):
        return False
    # A port and a path, in which an @ stands: http://host:80/@user/
    return "/" not in value or _PATH.match(value) is None
