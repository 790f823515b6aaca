"""Converts values of applications and vendors into values that a Log can hold. The to_...() never raise.

A value that cannot be converted becomes a placeholder if text is needed, and None if a number is. Every
function catches all exceptions, because converting an object runs the application's code, such as its
``__str__``. Text is returned unchanged: the other half of a surrogate pair may be in the next chunk. A Log
needs clean() text.
"""

from __future__ import annotations

import json
import operator
import re
import time
from enum import Enum
from itertools import islice
from typing import Any, Final

from llm_observe.limits import (
    HTTP_STATUSES,
    MAX_AHEAD_S,
    MAX_COUNT,
    MAX_LATENCY_S,
    MAX_METADATA_PAIRS,
    MAX_RETRY_COUNT,
    MAX_TAGS,
)

KEPT_TEXT_CHARS: Final = 4_000
"""Characters kept of a text until it is sent: redaction may shorten them before the cut at 500."""
_MAX_ENTRIES: Final = 1_000
"""Most entries of metadata that are read: an iterator may be endless."""
_HEX_DIGITS: Final = re.compile(r"[0-9a-f]{32}")
_read_type_name: Final = type.__dict__["__name__"].__get__
"""Reads the name of a type without its metaclass, which may be the application's and raise."""


def to_text(value: object) -> str:
    """Return a value as text: empty for None, the value of an Enum, JSON for a mapping or a list."""
    if type(value) is str:
        return value
    try:
        return _text_of(value)
    except Exception:  # noqa: BLE001 - see above
        return f"<{type_name(type(value))}>"


def type_name(kind: type) -> str:
    """Return the name of a type. Runs no code of the application."""
    name: str = _read_type_name(kind)
    return name


def to_kept_text(value: object) -> str:
    """Return the part of a value's text that is kept until it is sent."""
    return to_text(value)[:KEPT_TEXT_CHARS]


def to_content(value: object) -> str:
    """Return the text of a message's content. In a list of parts, those without text are skipped."""
    if type(value) is str:
        return value
    try:
        return "".join(map(_text_of_part, value)) if isinstance(value, list | tuple) else to_text(value)
    except Exception:  # noqa: BLE001 - see above; or a list of other things
        return to_text(value)


def to_count(value: object) -> int | None:
    """Return a count, as of tokens; None unless the value is a whole number from 0 to MAX_COUNT."""
    if value is None:
        return None
    try:
        count = value if type(value) is int else _integer_of(value)
    except Exception:  # noqa: BLE001 - see above
        return None
    return count if 0 <= count <= MAX_COUNT else None


def to_nano_usd(value: Any, units_per_usd: int = 1) -> int | None:
    """Return a price in 10^-9 US dollars; None if it is not a price."""
    try:
        nano = float(value) * (1_000_000_000 / units_per_usd)
        return to_count(round(nano)) if not isinstance(value, bool) else None
    except Exception:  # noqa: BLE001 - see above
        return None


def to_http_status(value: object) -> int | None:
    """Return an HTTP status; None if the value is not one."""
    status = to_count(value)
    return status if status is not None and status in HTTP_STATUSES else None


def to_retry_count(value: object) -> int | None:
    """Return a count of retries; None if the value is not one."""
    count = to_count(value)
    return count if count is not None and count <= MAX_RETRY_COUNT else None


def to_flag(value: object) -> bool:
    """Return whether a value is true; False if it cannot be tested."""
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 - see above
        return False


def to_duration_ns(value: Any) -> int | None:
    """Return seconds (a number or a timedelta) in nanoseconds; None if outside a latency's range."""
    if value is None:
        return None
    try:
        seconds = float(value.total_seconds() if hasattr(value, "total_seconds") else value)
        return int(seconds * 1e9) if 0 <= seconds <= MAX_LATENCY_S and not isinstance(value, bool) else None
    except Exception:  # noqa: BLE001 - see above
        return None


def to_time_ns(value: Any) -> int | None:
    """Return a datetime in nanoseconds since 1970; None if the server would not accept it."""
    if value is None:
        return None
    try:
        seconds = value.timestamp()
        return int(seconds * 1e9) if 0 <= seconds <= time.time() + MAX_AHEAD_S else None
    except Exception:  # noqa: BLE001 - see above
        return None


def acceptable_start(clock_ns: int) -> int:
    """Return when something began by the application's clock, if the server would accept it, else now."""
    now_ns = time.time_ns()
    return clock_ns if 0 <= clock_ns <= now_ns + MAX_AHEAD_S * 10**9 else now_ns


def to_uuid(value: object) -> str:
    """Return a UUID (object or text, with or without dashes) in canonical form; empty if it is not one."""
    if value is None:
        return ""
    digits = to_text(value).replace("-", "").lower()
    if not _HEX_DIGITS.fullmatch(digits):
        return ""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def to_tags(value: Any) -> tuple[str, ...]:
    """Return the tags of an iterable; a text, or a value that is not iterable, is one tag."""
    if value is None:
        return ()
    try:
        is_single = isinstance(value, str | bytes | Enum)
        return (to_kept_text(value),) if is_single else tuple(map(to_kept_text, islice(value, MAX_TAGS)))
    except Exception:  # noqa: BLE001 - see above
        return (to_kept_text(value),)


def to_pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """Return the first 50 pairs of a mapping or of an iterable; entries that are not pairs are skipped."""
    if value is None:
        return ()
    try:
        items = islice(value.items() if hasattr(value, "items") else value, _MAX_ENTRIES)
        pairs = (item for item in items if isinstance(item, list | tuple) and len(item) == 2)  # noqa: PLR2004 - a pair
        kept = islice(pairs, MAX_METADATA_PAIRS)
        return tuple((to_kept_text(key), to_kept_text(text)) for key, text in kept)
    except Exception:  # noqa: BLE001 - see above
        return ()


def clean(text: str) -> str:
    """Replace NUL and lone surrogates, which neither protobuf nor Postgres can hold."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _text_of(value: object) -> str:
    """Return a value as text. Raises whatever the value raises."""
    if value is None:
        return ""
    if isinstance(value, Enum):
        return to_text(value.value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, dict | list | tuple):
        return _json_of(value)
    # A subclass of str may override __str__; its text is its characters.
    text = value if isinstance(value, str) else str(value)
    return str.__str__(text) or (type_name(type(value)) if isinstance(value, BaseException) else "")


def _json_of(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=to_text)
    except TypeError:  # keys that JSON does not allow
        return str(value)


def _text_of_part(part: object) -> str:
    """Return the text of a part of a message's content; empty if it has none.

    Raises:
        TypeError: It is not a part of a message.
    """
    if isinstance(part, str):
        return part
    kind, text = (
        (part.get("type"), part.get("text"))
        if isinstance(part, dict)
        else (getattr(part, "type", None), getattr(part, "text", None))
    )
    if isinstance(text, str):
        return text
    if isinstance(kind, str):  # an image, or a thought
        return ""
    raise TypeError


def _integer_of(value: Any) -> int:
    """Return a value as a whole number.

    Raises:
        ValueError: It is not one. Other values raise whatever they do.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return int(value)
    if isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - all refusals are one error
    try:
        return operator.index(value)
    except TypeError:
        whole = int(value)
        if whole != value:
            raise ValueError from None
        return whole
