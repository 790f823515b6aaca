"""Credentials recognised by their prefix, their shape, or the header they are in."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.normalise import TextRange
from llm_observe._redaction.prefixes import BY_HEAD, EXACT, GLUED, HEADS, ONLY_EXACT, SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan
    from llm_observe._redaction.prefixes import KeyPrefix


_SURE_CHARS: Final = 20
ELIDED_CHARS: Final = 10
"""Characters of a key before an ellipsis that are too many to be an example's."""
_HEAD: Final = re.compile(r"(?=(...))(?:[A-Za-z0-9]++|_)")
"""Matches words, and gives the first three characters of each, which may reach into the next."""
_BODY: Final = re.compile(r"[A-Za-z0-9_.~+/=%$:-]{1,4000}")
_FILE_END: Final = re.compile(
    r"\.(?:png|gif|jpe?g|svg|js|mjs|css|html?|ico|webp|xml|json|map|woff2?|ttf|pdf|txt|mp4|zip|gz)(?![A-Za-z0-9])"
)
_HASH: Final = re.compile(r"[0-9a-f]+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_JWT: Final = re.compile(r"[A-Za-z0-9_-]{10,8000}(?:\.[A-Za-z0-9_=-]{0,8000}){0,4}")
_COMMON_SCHEMES: Final = ("bearer", "basic", "token")
SCHEMES: Final = (*_COMMON_SCHEMES, "digest", "negotiate", "apikey", "ssws", "flyv1")
"""Words before the credentials of an authorization header, in lower case."""
_HEADER: Final = re.compile(r"[\"']?(?: {1,3}|: {0,3})[\"']?([A-Za-z0-9._~+/=$%:-]{8,4000})")
_WORD_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
WEBHOOKS: Final = (
    ("hooks.slack.com/", re.compile(r"(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{4,200}")),
    ("discord.com/api/webhooks/", re.compile(r"\d{5,30}/[A-Za-z0-9_-]{16,120}")),
    ("discordapp.com/api/webhooks/", re.compile(r"\d{5,30}/[A-Za-z0-9_-]{16,120}")),
    ("webhook.office.com/", re.compile(r"webhookb2/[A-Za-z0-9@/_-]{20,300}")),
    ("hooks.zapier.com/", re.compile(r"hooks/catch/\d{3,12}/[A-Za-z0-9/]{5,60}")),
    ("api.telegram.org/bot", re.compile(r"\d{5,20}:[A-Za-z0-9_-]{20,80}")),
)
_TELEGRAM: Final = re.compile(r"(?<![A-Za-z0-9])\d{8,10}:A[A-Za-z0-9_-]{34}(?![A-Za-z0-9_-])")
_SHAPES: Final = tuple(
    (mark, re.compile(r"(?<![A-Za-z0-9])" + shape))
    for mark, shape in (
        (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{20,80}"),  # Terraform
        ("-us", r"[0-9a-f]{32}-us[0-9]{1,2}(?![A-Za-z0-9])"),  # Mailchimp
        ("Q~", r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),  # Microsoft Entra
        ("JQQJ9", r"[A-Za-z0-9]{52}JQQJ9[9D][A-Za-z0-9]{20,40}"),  # Azure AI
        ("_mmk", r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk"),  # MaxMind
        ("00D", r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9_.]{60,120}"),  # Salesforce
    )
)
"""Keys that have no prefix but a shape of their own, each with a mark that it holds."""
_DISCORD: Final = re.compile(r"[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}")
_ASANA: Final = re.compile(r"[012]/[0-9]{10,20}(?:/[0-9]{10,20})?:[0-9a-f]{32}")
_ASANA_CHARS: Final = 48
_PREFIX_WORD: Final = re.compile(r"[a-z][a-z0-9]{0,11}")
_SAME_SORT: Final = re.compile(r"[0-9]+|[A-Z]+|[^0-9A-Z]+")
_JOINTS: Final = re.compile(r"[-_]")
_MAX_PREFIX_WORDS: Final = 4
_NAME_IN_CODE: Final = re.compile(
    r"(?:[a-z]+[0-9]{0,2}[-_]|[0-9]{1,6}[-_](?=[a-z])|[0-9]{1,2}[-_]){2,}(?:[a-z]+[0-9]{0,2}|[0-9]{1,6})"
)
"""Words and numbers, such as what follows in test_all_100_logs_arrive: a function, no key."""
_MIN_BODY_PART: Final = 12
_MIN_UNSEEN_CHARS: Final = 24
_MIN_PLAIN_UNSEEN_CHARS: Final = 32
"""Least characters of a body in one case, which may as well be a hash."""
_ID_TEXT: Final = """
    acct agent app arn artifact asst audio batch blob block boot branch build bucket call cart cdn
    ch chat chatcmpl charge checkpoint chunk class client cmpl col com commit conv conversation corr
    cs css cus customer data dataset deploy deployment desc device di digest dir doc document dpl
    driver dtp el embed embd entity eni error etag event evt exec experiment feat file fine font
    form ft ftjob function gen group hash host html http https icon id ids img image in index inv
    invoice io item items job js key layer lib link list log main map md5 mem message meta metric
    min model module msg name node note obj object off op or order org out page part path pi pm po
    price prod product project proj pub query queue ref region release rel repo report req request
    res resource resp response rev role row rs rtb rule run s3 sample sandbox schema seg seti
    session ses sess sg sha sha1 sha256 sha384 sha512 si snap snapshot source span src step store
    stream sub subnet svc table tag task team temp thread ticket time tmp tool toolu toolcall trace
    tracing transaction tx txn type upload uri url usage user usr uuid v v1 v2 v3 v4 var ver version
    video view vol volume vpc vs web widget window work workflow worker workspace ws www x xml
"""
_ID_WORDS: Final = frozenset(_ID_TEXT.split())
"""Words before ids: what follows is no secret."""
_KEY_WORDS: Final = frozenset(
    [
        "ak",
        "api",
        "apikey",
        "auth",
        "live",
        "pat",
        "pk",
        "priv",
        "prv",
        "rk",
        "sec",
        "secret",
        "sk",
        "skey",
        "test",
        "tok",
        "token",
        "access",
        "admin",
        "prod",
        "bot",
        "pwd",
        "pass",
    ]
)

_SURE_WORDS: Final = frozenset(
    {"sk", "pk", "key", "secret", "tok", "token", "pat", "apikey", "signkey", "skey"}
)


def find_prefixed(scan: Scan) -> Iterator[TextRange]:
    """Yield keys that begin with a vendor's prefix."""
    text = scan.text
    joined, _, runs = scan.words
    if not joined:
        return
    for prefix in _prefixes_in(joined):
        at = text.find(prefix.text)
        while at >= 0:
            end, is_key = _end_of_key(text, at, prefix)
            if is_key:
                yield TextRange(at, end, prefix.kind)
            at = text.find(prefix.text, end)
    if runs:
        yield from _find_in_runs(text, runs)
    for mark, shape in _SHAPES:
        if mark in joined and shape.search(joined):
            for match in shape.finditer(text):
                if looks_random(match.group()):
                    yield TextRange(match.start(), match.end(), "API_KEY")


def _prefixes_in(joined: str) -> Iterator[KeyPrefix]:
    for head in HEADS.intersection(_HEAD.findall(joined)):
        yield from (prefix for prefix in BY_HEAD[head] if prefix.text in joined)


def _end_of_key(text: str, at: int, prefix: KeyPrefix) -> tuple[int, bool]:
    """Return the end of the run after a prefix, and whether it is a key."""
    after = at + len(prefix.text)
    if at and text[at - 1].isalnum() and text[at - 1].isascii():
        return after, False
    match = _BODY.match(text, after)
    if match is None:
        return after, False
    body = match.group().rstrip(".:$/")
    elided = match.group().endswith("..") or text.startswith("…", match.end())
    return after + len(body), _is_body(prefix, body, elided=elided)


def _is_body(key: KeyPrefix, body: str, *, elided: bool) -> bool:
    prefix = key.text
    exact = EXACT.get(prefix)
    if _FILE_END.search(body) or _NAME_IN_CODE.fullmatch(body):
        return False
    if exact is not None and exact.match(body):
        return True
    min_chars = ELIDED_CHARS if elided and prefix[-1] in "-_." else key.min_chars
    if prefix in ONLY_EXACT or len(body) < min_chars:
        return False
    if prefix.startswith("xox") and ("/" in body or "." in body.replace(".xox", "")):
        return False
    # Other short prefixes may be parts of words.
    sure = len(prefix) > 3 or prefix in {"sk-", "hf_"}  # noqa: PLR2004 - longer ones are specific to a vendor
    if prefix == "hf_" and not any(map(str.isdigit, body)):
        return False
    return looks_random(body[:200], sure=sure) or (sure and len(body) >= _SURE_CHARS and body.isalnum())


def _find_in_runs(text: str, runs: list[str]) -> Iterator[TextRange]:
    """Yield keys among long runs of letters and digits."""
    at = 0
    for run in runs:
        at = text.find(run, at)
        if not _UUID.fullmatch(run):
            if "_" in run or "-" in run:
                yield from _find_in_joined(text, at, run)
            yield from _find_at_run(text, at, run)
        at += len(run)


def _find_in_joined(text: str, at: int, run: str) -> Iterator[TextRange]:
    """Yield the keys in a run of parts with an underscore or a dash between them."""
    found = GLUED.search(run, 1)
    if found is not None and run[found.start() - 1].isalnum() and _is_long_body(run[found.end() :]):
        yield TextRange(at + found.start(), at + len(run), "API_KEY")
    if _is_unseen(run) and not _FILE_END.match(text, at + len(run)):
        yield TextRange(at, at + len(run), "API_KEY")


def _find_at_run(text: str, at: int, run: str) -> Iterator[TextRange]:
    """Yield the keys of which a run is a part."""
    prefix = SHORT.get(run[:2])
    if prefix is not None:
        end, is_key = _end_of_key(text, at, prefix)
        if is_key:
            yield TextRange(at, end, prefix.kind)
    match = _DISCORD.match(text, at) if run[0] in "MNO" else None
    if match is None and text[at - 1 : at] == ":":
        match = _ASANA.search(text, max(0, at - _ASANA_CHARS), at + len(run))
    if match is not None:
        yield TextRange(*match.span(), "API_KEY")


def _is_long_body(body: str) -> bool:
    return len(body) >= _SURE_CHARS and _is_entropic(body)


def _is_unseen(run: str) -> bool:
    """Return whether a run is the key of an unknown vendor: a short prefix before random characters."""
    parts = _JOINTS.split(run)
    words = next((index for index, part in enumerate(parts) if len(part) >= _MIN_BODY_PART), 0)
    return 0 < words <= _MAX_PREFIX_WORDS and _is_unseen_key(
        parts[:words], "".join(parts[words:]), dashed="-" in run
    )


def _is_unseen_key(words: list[str], body: str, *, dashed: bool) -> bool:
    if not all(map(_PREFIX_WORD.fullmatch, words)):
        return False
    if dashed and _HASH.fullmatch(body):  # the name of a file or a page
        return not _SURE_WORDS.isdisjoint(words)
    if not _KEY_WORDS.isdisjoint(words):
        return len(body) >= _SURE_CHARS and _is_entropic(body)
    if not _ID_WORDS.isdisjoint(words):
        return False
    mixed = body != body.lower() and body != body.upper()
    return len(body) >= (_MIN_UNSEEN_CHARS if mixed else _MIN_PLAIN_UNSEEN_CHARS) and _is_entropic(body)


def _is_entropic(body: str) -> bool:
    """Return whether characters look drawn by chance: many different ones, whose sort changes often."""
    digits = sum(map(body.count, "0123456789"))
    if not digits or len(set(body)) < 9 or len(body) - digits < 4:  # noqa: PLR2004 - by chance there are more
        return False
    switches = len(_SAME_SORT.findall(body)) - 1
    if digits == 1:  # a name in CamelCase with a number changes less often than a key
        return len(body) >= _MIN_PLAIN_UNSEEN_CHARS and switches * 5 >= len(body) * 2
    return switches * 4 >= len(body)


def looks_random(text: str, *, sure: bool = False) -> bool:
    """Return whether a text may be a secret: it mixes digits and letters and repeats not just a few."""
    digits = sum(map(text.count, "0123456789"))
    if len(set(text)) < 4:  # noqa: PLR2004 - xxxxxxxx, 12341234
        return False
    if digits:
        return digits < len(text)
    mixed = text != text.lower() and text != text.upper()
    return mixed and (sure or _changes_case(text))


def _changes_case(text: str) -> bool:
    """Return whether case changes more often than in CamelCase words."""
    changes = sum(1 for a, b in pairwise(text) if a.islower() and b.isupper())
    return changes * 4 >= len(text)


def find_jwts(scan: Scan) -> Iterator[TextRange]:
    """Yield JSON web tokens and other JSON objects in base64."""
    text = scan.text
    at = text.find("eyJ")
    while at >= 0:
        match = _JWT.match(text, at)
        if match is not None:
            shown = match.group().rstrip(".")
            glued = at and text[at - 1].isascii() and text[at - 1].isalnum()
            elided = len(match.group()) - len(shown) > 1 or text.startswith("…", match.end())
            certain = "." in shown or len(shown) >= 60  # noqa: PLR2004 - more than the header of an example
            if looks_random(shown[:200]) and (certain or not (glued or elided)):
                yield TextRange(at, at + len(shown), "JWT")
        at = text.find("eyJ", match.end() if match is not None else at + 3)


def find_headers(scan: Scan) -> Iterator[TextRange]:
    """Yield credentials after the scheme of an authorization header: Bearer, Basic and the like."""
    lowered = scan.lowered
    for scheme in SCHEMES if "authorization" in lowered else _COMMON_SCHEMES:
        at = lowered.find(scheme)
        while at >= 0:
            end = at + len(scheme)
            match = _HEADER.match(scan.text, end)
            named = at and (lowered[at - 1] in _WORD_CHARS or (scheme == "token" and lowered[at - 1] in "_-"))
            if match is not None and not named and _is_header(scheme, match.group(1)):
                yield TextRange(match.start(1), match.start(1) + len(match.group(1).rstrip(".:")), "AUTH")
            at = lowered.find(scheme, end)


def _is_header(scheme: str, shown: str) -> bool:
    value = shown.rstrip(".:")
    if value.startswith("$") or "://" in value:
        return False
    strict = scheme == "token" or len(value) < _SURE_CHARS
    return looks_random(value, sure=scheme != "token") or (not strict and value.isalnum())


def find_webhooks(scan: Scan) -> Iterator[TextRange]:
    """Yield webhook addresses, which are secret as a whole, and keys of Telegram's bots."""
    text, lowered = scan.text, scan.lowered
    for host, path in WEBHOOKS if "hook" in lowered or "telegram" in lowered else ():
        at = lowered.find(host)
        while at >= 0:
            match = path.match(text, at + len(host))
            if match is not None:
                scheme = at - len("https://")
                begin = scheme if scheme >= 0 and lowered.startswith("https://", scheme) else at
                yield TextRange(begin, match.end(), "WEBHOOK")
            at = lowered.find(host, at + len(host))
    if ":A" in text:
        for match in _TELEGRAM.finditer(text):
            yield TextRange(match.start(), match.end(), "API_KEY")
