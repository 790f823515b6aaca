"""Passwords among the arguments of common tools: ``curl -u user:…``, ``mysql -p…``, and in cookies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.credentials import looks_random
from llm_observe._redaction.normalise import TextRange
from llm_observe._redaction.values import is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan

_BARE: Final = r"([^\s\"'|;&<>]{3,256})"
_VALUE: Final = r"[\"']?" + _BARE
_USER: Final = re.compile(
    rf"(?<=\s)(?:-u|--user|-U|--proxy-user|-a|--auth|--creds|--src-creds|--dest-creds)"
    rf"[ =]?[\"']?[^\s:\"'/]{{1,64}}:{_BARE}"
)
_P: Final = re.compile(rf"(?<=\s)-p[ =]?{_VALUE}")
_P_JOINED: Final = re.compile(rf"(?<=\s)-p{_VALUE}")
_A: Final = re.compile(rf"(?<=\s)-a[ =]?{_VALUE}")
_W: Final = re.compile(rf"(?<=\s)-w[ =]?{_VALUE}")
_UPPER_P: Final = re.compile(rf"(?<=\s)-P[ =]?{_VALUE}")
_RAR: Final = re.compile(rf"(?<=\s)-h?p{_VALUE}")
_SLASH_P: Final = re.compile(rf"(?<=\s)/(?:p|pass|password):{_VALUE}")
_PASS: Final = re.compile(rf"(?<=\bpass:){_VALUE}")
_PERCENT: Final = re.compile(rf"(?<=\s)(?:-U|--user)[ =]?[\"']?[^\s%\"']{{1,64}}%{_BARE}")
_HTPASSWD: Final = re.compile(rf"(?<=\s)-[a-zA-Z]*b[a-zA-Z]* \S{{1,128}} \S{{1,64}} {_VALUE}")
_NET_USE: Final = re.compile(rf"/user:\S{{1,64}} {_VALUE}")
_LAST: Final = re.compile(r"\s([A-Za-z0-9._~+/=-]{16,256})\s*$")
STDIN_OPTIONS: Final = ("--password-stdin", "--with-token", "--stdin")
_ECHO: Final = re.compile(
    rf"{_VALUE}[\"']? {{1,3}}\| {{0,3}}\S{{1,64}}[^\n|]{{0,200}}(?:{'|'.join(STDIN_OPTIONS)})"
)

_TOOLS: Final = (
    ("curl", _USER), ("http", _USER), ("wget", _USER), ("skopeo", _USER), ("podman", _USER),
    ("smbclient", _PERCENT), ("rpcclient", _PERCENT), ("mysql", _P_JOINED), ("mariadb", _P_JOINED),
    ("sshpass", _P), ("docker login", _P), ("podman login", _P), ("mongo", _P), ("az login", _P),
    ("helm registry login", _P), ("oc login", _P), ("cf login", _P), ("psexec", _P), ("redis-cli", _A),
    ("valkey-cli", _A), ("ldap", _W), ("sqlcmd", _UPPER_P), ("bcp", _UPPER_P), ("zip", _UPPER_P),
    ("7z", _P_JOINED), ("rar", _RAR), ("freerdp", _SLASH_P), ("openssl", _PASS), ("keytool", _PASS),
    ("htpasswd", _HTPASSWD), ("net use", _NET_USE), ("cqlsh", _P), ("influx", _P), ("rdesktop", _P),
    ("clickhouse", _P), ("vault login", _LAST), ("echo", _ECHO), ("printf", _ECHO),
)  # fmt: skip
"""Tools, in lower case, each with a pattern of the argument that is a secret."""
PRINTING_TOOLS: Final = tuple(sorted(tool for tool, pattern in _TOOLS if pattern is _ECHO))
"""Those whose argument is a secret if it goes to one of STDIN_OPTIONS."""
TOOL_NAMES: Final = tuple(sorted({tool for tool, _ in _TOOLS} - set(PRINTING_TOOLS)))
"""The others."""
_OPTION: Final = re.compile(r" (?:--?[a-zA-Z]|/[pu]|pass:|login )")
_MAX_COMMAND_CHARS: Final = 400
_PLACEHOLDERS: Final = ("$", "<", "{", "%", "*", "-")
_COOKIE: Final = re.compile(r"cookie[\"']?\s{0,4}[:=,]\s{0,4}[\"']?")
_COOKIE_PAIR: Final = re.compile(r"([A-Za-z0-9_.%-]{1,64})=\"?([A-Za-z0-9%._~+/:|=-]{8,4000})")
_MIN_DISTINCT: Final = 5
"""Different characters of a random value: GA1.2.3 has as many."""
_MAX_COOKIE_CHARS: Final = 4_000
_ATTRIBUTES: Final = (
    "path",
    "domain",
    "expires",
    "max-age",
    "samesite",
    "_ga",
    "_gid",
    "version",
    "priority",
)


def find_in_commands(scan: Scan) -> Iterator[TextRange]:
    """Yield secrets among the arguments of command-line tools."""
    text, lowered = scan.text, scan.lowered
    if not (" -" in text or " /" in text or " pass:" in text or " login " in text) or not _OPTION.search(
        text
    ):
        return
    for tool, pattern in _TOOLS:
        at = lowered.find(tool)
        done = 0
        while at >= 0:
            end = text.find("\n", at, at + _MAX_COMMAND_CHARS)
            end = end if end >= 0 else min(len(text), at + _MAX_COMMAND_CHARS)
            match = pattern.search(text, at + len(tool), end) if at >= done else None
            if match is not None:
                done = match.end()
                if _is_argument(match.group(1)):
                    yield TextRange(match.start(1), match.end(1), "SECRET")
            else:
                done = max(done, end)
            at = lowered.find(tool, at + len(tool))


def _is_argument(value: str) -> bool:
    return (
        not value.startswith(_PLACEHOLDERS) and not is_placeholder(value)
        and not re.fullmatch(r"\d{1,5}(?::\d{1,5})?|[A-Z_]+", value)
    )  # fmt: skip


def find_cookies(scan: Scan) -> Iterator[TextRange]:
    """Yield values of cookies that look random."""
    if "cookie" not in scan.lowered:
        return
    done = 0
    for head in _COOKIE.finditer(scan.lowered):
        if head.start() < done:
            continue
        line = scan.text.find("\n", head.end())
        end = min(line if line >= 0 else len(scan.text), head.end() + _MAX_COOKIE_CHARS)
        done = end
        for pair in _COOKIE_PAIR.finditer(scan.text, head.end(), end):
            if (
                pair.group(1).lower() not in _ATTRIBUTES
                and looks_random(pair.group(2))
                and len(set(pair.group(2))) > _MIN_DISTINCT
            ):
                yield TextRange(pair.start(2), pair.end(2), "SECRET")
