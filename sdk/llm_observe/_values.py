"""Converts what an application or a vendor hands over into what a Log can hold. Nothing here raises.

Where a value has no sensible form, a text becomes a placeholder and a number unknown (None). Every function
catches all exceptions: to convert an object is to run code of the application, such as its ``__str__``. Text
passes as it is, since the other half of a surrogate pair may be in the next piece; a Log needs clean() text.
"""

from __future__ import annotations

import json
import operator
import re
import time
from enum import Enum
from itertools import islice
from typing import Any, Final

from llm_observe.limits import HTTP_STATUSES, MAX_AHEAD_S, MAX_COUNT, MAX_LATENCY_S, MAX_TAGS

_MAX_PAIRS: Final = 1_000
"""Pairs of metadata that are looked at: an iterator may have no end."""
_HEX_DIGITS: Final = re.compile(r"[0-9a-f]{32}")


def to_text(value: Any) -> str:
    """Return a value as text: None is empty, an Enum its value, a mapping or a list JSON."""
    if type(value) is str:
        return value
    try:
        return _text_of(value)
    except Exception:  # noqa: BLE001 - see above
        return f"<{type(value).__name__}>"


def to_content(value: Any) -> str:
    """Return the text of a message's content: of a list of parts, the text of those that carry some."""
    if type(value) is str:
        return value
    try:
        return "".join(map(_text_of_part, value)) if isinstance(value, list | tuple) else to_text(value)
    except Exception:  # noqa: BLE001 - see above; a list of something else
        return to_text(value)


def to_count(value: Any) -> int | None:
    """Return a count of tokens; None unless the value is a whole number from 0 to MAX_COUNT."""
    if value is None:
        return None
    try:
        count = value if type(value) is int else _integer_of(value)
    except Exception:  # noqa: BLE001 - see above
        return None
    return count if 0 <= count <= MAX_COUNT else None


def to_http_status(value: Any) -> int | None:
    """Return an HTTP status; None unless the value is one."""
    status = to_count(value)
    return status if status is not None and status in HTTP_STATUSES else None


def to_flag(value: Any) -> bool:
    """Return whether a value is true; one that cannot say is not."""
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 - see above
        return False


def to_duration_ns(value: Any) -> int | None:
    """Return seconds (a number or a timedelta) in nanoseconds; None unless they can be a latency."""
    if value is None:
        return None
    try:
        seconds = float(value.total_seconds() if hasattr(value, "total_seconds") else value)
        return int(seconds * 1e9) if 0 <= seconds <= MAX_LATENCY_S and not isinstance(value, bool) else None
    except Exception:  # noqa: BLE001 - see above
        return None


def to_time_ns(value: Any) -> int | None:
    """Return a datetime in nanoseconds since 1970; None unless the server would accept it."""
    if value is None:
        return None
    try:
        seconds = value.timestamp()
        return int(seconds * 1e9) if 0 <= seconds <= time.time() + MAX_AHEAD_S else None
    except Exception:  # noqa: BLE001 - see above
        return None


def to_uuid(value: Any) -> str:
    """Return a UUID (object or text, with or without dashes) in its usual form; empty unless it is one."""
    if value is None:
        return ""
    digits = to_text(value).replace("-", "").lower()
    if not _HEX_DIGITS.fullmatch(digits):
        return ""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def to_tags(value: Any) -> tuple[str, ...]:
    """Return tags given as an iterable; a text, or what cannot be iterated, is one tag."""
    if value is None:
        return ()
    try:
        one = isinstance(value, str | bytes | Enum)
        return (to_text(value),) if one else tuple(map(to_text, islice(value, MAX_TAGS)))
    except Exception:  # noqa: BLE001 - see above
        return (to_text(value),)


def to_pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """Return metadata given as a mapping or an iterable of pairs; what is no pair is left out."""
    if value is None:
        return ()
    try:
        items = islice(value.items() if hasattr(value, "items") else value, _MAX_PAIRS)
        pairs = [item for item in items if isinstance(item, list | tuple) and len(item) == 2]  # noqa: PLR2004 - a pair
        return tuple((to_text(key), to_text(text)) for key, text in pairs)
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


def _text_of(value: Any) -> str:
    """Return a value as text; raises what the value raises."""
    if value is None:
        return ""
    if isinstance(value, Enum):
        return to_text(value.value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, dict | list | tuple):
        return _json_of(value)
    # A subclass of str may have a __str__ of its own; its text is its characters.
    text = value if isinstance(value, str) else str(value)
    return str.__str__(text) or (type(value).__name__ if isinstance(value, BaseException) else "")


def _json_of(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=to_text)
    except TypeError:  # keys that JSON does not know
        return str(value)


def _text_of_part(part: Any) -> str:
    """Return the text that a part of a message's content carries.

    Raises:
        TypeError: It is no such part.
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
    """Return a whole number.

    Raises:
        ValueError: It is none. Other values raise what they please.
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
