"""Values beside names of secrets: ``password = …``, ``"apiKey": "…"``, ``<secret>…``, ``| token | … |``.

Searches for the parts of such names, reads the whole name, what stands between it and the next value, and the
value. What stands between decides only how much the value must look like a secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe._redaction.name_kinds import NameKind, kind_of
from llm_observe._redaction.normalise import Scan, TextRange
from llm_observe._redaction.stems import find_stems
from llm_observe._redaction.values import is_phrase, is_plain_word, is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME_CHARS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.$"
_MAX_NAME_CHARS: Final = 64
_REST_OF_NAME: Final = re.compile(r"[A-Za-z0-9_.$-]{0,64}")
_REST_OF_WORD: Final = re.compile(r"[^\W\d_]{0,24}")
_MAX_WORD_CHARS: Final = 24
_CLOSE: Final = re.compile(r"[\"'`*\])}»”]{0,6}")
PREPOSITIONS: Final = ("for", "of", "in", "para", "pour", "de", "di", "von", "del", "f\u00fcr")
"""Words behind a name that belong to it, as in: password of the server. No value begins with one."""
_PHRASE: Final = (
    rf"(?: \([^()\n]{{1,24}}\)| (?:{'|'.join(PREPOSITIONS)}|on|to)"
    r" (?!be )[\w.@-]{1,30}(?: [\w.@-]{1,20})?){0,2}"
)
_SIGN: Final = re.compile(
    _PHRASE + r"[ \t]{0,20}(?:=>|->|\u2192|:=|~>|[:=\u2192]{1,3}>?)[*]{0,3}[ \t]{0,20}"
    r"(?:(?<=[: ])(?:[|>][+-]?(?=\n))?(?:\r?\n[ \t-]{0,20}){0,2}(?![\w.-]{1,64}[=:]))?"
)
_TYPE: Final = re.compile(
    r"(?:&?(?:'static )?(?:str|String|string|char|text|bytes|const char ?\*"
    r"|Optional\[str\]|str \| None|SecretStr|String\?))[ \t]*=[ \t]*(?=[\"'rbf`])"
)
_TYPE_FIRST: Final = re.compile(r"[ \t]+(?:str|String|string|text)[ \t]*:?=[ \t]*(?=[\"'`])")
_STATED: Final = re.compile(
    _PHRASE + r"[ \t]{1,3}(?:is|was|are|as|to|ist|lautet|war|es|era|est|\u00e9|\u00e8|\u00e4r|er|jest"
    r"|equals|reads|on|bylo|je)(?: now| set to| still| again)?:?[ \t]{1,3}"
    r"|[ \t]{0,2}(?:\u662f|\u4e3a|\u70ba|\u306f|\uc740|\ub294|\uc774)[ \t]{0,2}"
)
VALUE_WORDS: Final = (
    "value", "val", "content", "default", "defaultValue", "Value", "secret", "text",
)  # fmt: skip
"""Names of a value whose own name is the value of the attribute before it."""
_VALUE_PAIR: Final = re.compile(
    r"[\"'`]?[ \t]{0,4},?\s{1,40}(?:[\w:-]{1,30}=[\"'][^\"'\n]{0,60}[\"'] {1,4}){0,3}"
    rf"[\"'`]?(?:{'|'.join(VALUE_WORDS)})[\"'`]?[ \t]{{0,4}}[:=][ \t]{{0,4}}"
)
_TAG: Final = re.compile(
    r"[\"']?(?: [^<>\n]{0,80})?>\s{0,20}"
    r"(?:<!\[CDATA\[|<(?:string|value|String)>)?([^<\n]{1,512})(?=</|\]\]>|$)"
)
_CELL: Final = re.compile(r"[ \t*`]{0,40}\|[ \t*`]{0,40}([^|\n]{1,200}?)[ \t*`]{0,40}(?:\||\n|$)")
_COMMA: Final = re.compile(r"[ \t]{0,4},[ \t\r\n]{0,20}(?=[rbfu@]?[\"'`])")
_GAP: Final = re.compile(r"(?:[ \t]{1,8}-{0,2}[ \t]{1,8}|[ \t]{1,8}|[,;\t])(?:\([^()\n]{0,20}\) )?")
_QUOTE: Final = re.compile(r"[rbfuRBFU@$L]{0,2}(\"\"\"|'''|[\"'`]|[\u201c\u00ab\u201e\u2018])")
_CLOSING: Final = {"\u201c": "\u201d", "\u00ab": "\u00bb", "\u201e": "\u201c", "\u2018": "\u2019"}
_UNQUOTED: Final = re.compile(r"[^\s\"'`<>]{1,512}")
_PAIR_FOLLOWS: Final = re.compile(r"[,;&|](?=\s|$|[\w. -]{1,40}[=:])|[,;]?[\"'`]|,(?=[^,\s]{0,80}(?:,|$))")
_LINE_START: Final = re.compile(r"(?:^|\n)[ \t]*(?:- |export |set |\* |# )?[\"']?$")
_LINE_REST: Final = re.compile(r"[^\n\"'<>|]{1,120}")
_END_OF_CLAUSE: Final = re.compile(r" *(?:$|[\t\r\n,.;!?)\]}|<\"']|(?:and|und|y|et|e|en|or|og|och) )")
_MAX_CHECKS_PER_RUN: Final = 6
"""Most names that are looked at in a run without spaces: hostile text then costs no more than other text."""
_MAX_VALUE_CHARS: Final = 512
_BARE_SIGN_KINDS: Final = (NameKind.SECRET, NameKind.PASSWORD)
_FOLLOWING: Final = frozenset(" \t\"'`,;(=-~:>*|\u2192\u662f\u4e3a\u70ba\u306f\uc740\ub294\uc774")
"""What may follow a name that has a value, apart from other spaces."""


class _Name(NamedTuple):
    start: int
    end: int
    kind: NameKind


def find_assigned(scan: Scan) -> Iterator[TextRange]:
    """Yield values that stand beside the name of a secret and look like one."""
    done = run_end = checks = 0
    for name in _find_names(scan.text, scan.lowered):
        if name.start < done:
            continue
        if name.start >= run_end:
            run = _UNQUOTED.match(scan.text, name.start)
            run_end, checks = run.end() if run else name.end, 0
        checks += 1
        if checks > _MAX_CHECKS_PER_RUN:
            continue
        found = _value_of(scan.text, name)
        if found is not None:
            done = found[1]
            yield TextRange(*found, "SECRET")


def is_assigned(text: str, at: int, stem: str, size: int) -> bool:
    """Return whether a value may stand beside the name in which a stem is.

    Args:
        text: What the stem stands in.
        at: Where, in the Scan of the text.
        stem: Part of a name, in lower case.
        size: Characters of the Scan, as far as the caller knows; if they are others, the answer is yes.
    """
    scan = Scan(text)
    if len(scan.text) != size:
        return True
    name = _name_at(scan.text, scan.lowered, at, stem)
    return bool(name.kind) and _value_of(scan.text, name) is not None


def _find_names(text: str, lowered: str) -> Iterator[_Name]:
    end = 0
    for at, stem in find_stems(lowered):  # those of one name find the same
        if at < end:
            continue
        name = _name_at(text, lowered, at, stem)
        end = max(end, name.end)
        if name.kind:
            yield name


def _name_at(text: str, lowered: str, at: int, stem: str) -> _Name:
    """Return the name in which a stem stands. Names in scripts without spaces are the stem alone."""
    before = text[max(0, at - _MAX_NAME_CHARS) : at]
    start = at - len(before) + len(before.rstrip(_NAME_CHARS))
    if stem[-1] < "\u0590":  # scripts with spaces
        rest = (_REST_OF_NAME if stem.isascii() else _REST_OF_WORD).match(text, at + len(stem))
        end = rest.end() if rest else at + len(stem)
        while text[end - 1] in ".-":
            end -= 1
    else:
        end = at + len(stem)
    # The word before matters for these alone: cache key, page token.
    counts = text[start] != "-" and ("key" in lowered[start:end] or "token" in lowered[start:end])
    word = _word_before(lowered, start) if counts else ""
    return _Name(start, end, kind_of(text[start:end], word))


def _word_before(lowered: str, at: int) -> str:
    """Return the word before a name, if only a space or a dash is between them, and perhaps a line's end."""
    if at and lowered[at - 1] == "\n":
        at -= 1
    if not at or lowered[at - 1] not in " -":
        return ""
    start = end = at - 1
    floor = max(0, end - _MAX_WORD_CHARS)
    while start > floor and lowered[start - 1].isalnum():
        start -= 1
    return lowered[start:end]


def _value_of(text: str, name: _Name) -> tuple[int, int] | None:
    """Return the range of the value that stands beside a name, if it is a secret."""
    after = _CLOSE.match(text, name.end)
    at = after.end() if after else name.end
    before = text[name.start - 1 : name.start] if name.start else ""
    tag = before == "<" or (before == ":" and "<" in text[max(0, name.start - 16) : name.start])
    if tag and (found := _in_tag(text, at, name)) is not None:
        return found
    following = text[at : at + 1]
    if following not in _FOLLOWING and not following.isspace():
        return None
    start = _start_of_tied(text, at, name)
    if start is not None:
        return _read(text, start, name.kind, sure=True, name=name)
    return _in_markup(text, at, name) or _behind_gap(text, at, name, dashed=before == "-")


def _start_of_tied(text: str, at: int, name: _Name) -> int | None:
    """Return where a value begins that a sign or a comma between quotes ties to a name."""
    pair = _VALUE_PAIR.match(text, name.end)
    if pair is not None:
        return pair.end()
    sign = _SIGN.match(text, at) or _TYPE_FIRST.match(text, at)
    if sign is not None:
        typed = _TYPE.match(text, sign.end())
        return typed.end() if typed else sign.end()
    comma = _COMMA.match(text, at) if at > name.end else None
    return comma.end() if comma else None


def _in_markup(text: str, at: int, name: _Name) -> tuple[int, int] | None:
    """Return the range of a value between tags, or in the next cell of a table."""
    if text.startswith(">", at):
        return _in_tag(text, at, name)
    cell = _CELL.match(text, at)
    return _if_secret(text, cell.start(1), cell.end(1), name.kind, quoted=False) if cell else None


def _behind_gap(text: str, at: int, name: _Name, *, dashed: bool) -> tuple[int, int] | None:
    """Return the range of a value behind a verb or a space."""
    stated = _STATED.match(text, at)
    if stated is not None and (found := _read(text, stated.end(), name.kind, sure=False, name=name)):
        return found
    gap = _GAP.match(text, at)
    if gap is None:
        return None
    option = text.startswith("--", name.start) or (dashed and text[name.end : name.end + 1] == " ")
    return _read(text, gap.end(), name.kind, sure=option, name=name)


def _in_tag(text: str, at: int, name: _Name) -> tuple[int, int] | None:
    match = _TAG.match(text, at)
    return _if_secret(text, match.start(1), match.end(1), name.kind, quoted=True) if match else None


def _if_secret(
    text: str, start: int, end: int, kind: NameKind, *, quoted: bool, sure: bool = True
) -> tuple[int, int] | None:
    return (start, end) if is_secret(kind, text[start:end], sure=sure, quoted=quoted) else None


def _read(text: str, at: int, kind: NameKind, *, sure: bool, name: _Name) -> tuple[int, int] | None:
    """Return the range of the value that begins here, if it is a secret."""
    quote = _QUOTE.match(text, at)
    if quote is not None:
        end = _end_of_quoted(text, quote.end(), quote.group(1))
        return _if_secret(text, quote.end(), end, kind, quoted=True, sure=sure)
    match = _UNQUOTED.match(text, at)
    if match is None:
        return None
    start, end = match.start(), _end_of_unquoted(text, *match.span())
    if sure and kind is NameKind.PASSWORD:
        phrase = _phrase(text, start, name)
        if phrase is not None:
            return phrase
    value = text[start:end]
    tight = sure and text[at - 1] in "=:" and kind is NameKind.PASSWORD
    if (
        value.isalpha()
        and kind in _BARE_SIGN_KINDS
        and not (tight or _stands_alone(text, end, value, kind, sure=sure))
    ):
        return None
    return _if_secret(text, start, end, kind, quoted=False, sure=sure) or _stated_word(
        value, start, end, kind, sure=sure
    )


def _stands_alone(text: str, end: int, value: str, kind: NameKind, *, sure: bool) -> bool:
    """Return whether a plain word is a value of its own and not the start of a sentence."""
    return (
        kind is NameKind.PASSWORD
        and is_plain_word(value)
        and _END_OF_CLAUSE.match(text, end) is not None
        and (
            sure or len(value) > 5  # noqa: PLR2004 - shorter words after a verb are prose
        )
    )


def _stated_word(value: str, start: int, end: int, kind: NameKind, *, sure: bool) -> tuple[int, int] | None:
    return (start, end) if not sure and value.isalpha() and kind is NameKind.PASSWORD else None


def _phrase(text: str, start: int, name: _Name) -> tuple[int, int] | None:
    """Return the rest of a line that names a password and holds nothing else, if it is a phrase."""
    if not _LINE_START.search(text, max(0, name.start - 24), name.start):
        return None
    match = _LINE_REST.match(text, start)
    if match is None or text[match.end() : match.end() + 1] not in {"", "\n"}:
        return None
    value = match.group().rstrip()
    return (start, start + len(value)) if " " in value and is_phrase(value) else None


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    """Return where a quoted value ends: at a quote that no letter follows, or where the line ends."""
    close = _CLOSING.get(quote, quote)
    limit = min(len(text), start + _MAX_VALUE_CHARS)
    at = text.find(close, start, limit)
    while at >= 0:
        following = text[at + len(close) : at + len(close) + 1]
        if not following.isalnum() or at == start:
            return at
        at = text.find(close, at + 1, limit)
    line = text.find("\n", start, limit)
    return line if line >= 0 else limit


def _end_of_unquoted(text: str, start: int, end: int) -> int:
    """Return where an unquoted value ends: before another pair, or before brackets that it did not open."""
    pair = _PAIR_FOLLOWS.search(text, start + 1, end)
    if pair is None:
        pair = _PAIR_FOLLOWS.search(text, end - 1, end + 1) if end - 1 > start else None
    end = min(end, pair.start()) if pair else end
    while end > start + 1:
        last = text[end - 1]
        if (
            last in ".,:;!?…。*"
            and not (last in "!?*" and text[end : end + 1] in {"", "\n", "&"} and last != "*")
        ) or (
            last in ")]}" and text.count("([{"[")]}".index(last)], start, end) < text.count(last, start, end)
        ):
            end -= 1
        else:
            break
    return end
