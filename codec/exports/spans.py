"""Makes spans of OTLP of what an export says."""

from __future__ import annotations

import hashlib
import json
import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEX: Final = re.compile(r"[0-9a-f]+")
_NUMBER: Final = re.compile(r"\d{1,20}(?:\.\d+)?")
_MAX_INT: Final = 2**63
_MAX_NS: Final = 253_402_300_799 * 10**9
_UNITS: Final = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (0, 10**9))
"""From which number on a time since 1970 is in nano-, micro-, milliseconds or seconds; and that unit."""


class Skipped(Exception):
    """A row becomes no span; the message says why, without a value of the row."""


def to_id(value: object, size: int, product: str) -> bytes:
    """Return an id of so many bytes: that of the row if it is one, else one that follows from it.

    Older SDKs name traces and observations as they like, by UUIDs for instance.
    """
    text = str(value).strip()
    digits = text.replace("-", "").lower()
    if len(digits) == 2 * size and _HEX.fullmatch(digits) and digits.strip("0"):
        return bytes.fromhex(digits)
    return hashlib.sha256(f"{product}:{text}".encode("utf-8", "replace")).digest()[:size]


def to_time_ns(value: object) -> int | None:
    """Return a time in nanoseconds since 1970; None for what is none.

    It is in ISO 8601, in UTC where it names no zone, or a number.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, int | float | Decimal):
        unit = next((ns for least, ns in _UNITS if value >= least), 0)
        time_ns = int(Decimal(value) * unit)
    else:
        time_ns = _of_datetime(value)
    return time_ns if 0 < time_ns < _MAX_NS else None


def _of_datetime(value: object) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return 0
    if not isinstance(value, datetime):
        return 0
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        elapsed = aware - datetime(1970, 1, 1, tzinfo=UTC)
    except OverflowError:
        return 0
    return (elapsed.days * 86_400 + elapsed.seconds) * 10**9 + elapsed.microseconds * 1_000


def to_json(value: object) -> str:
    """Return a value as JSON text; a text is that text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_plain)


def to_attributes(pairs: Iterable[tuple[str, Any]]) -> list[KeyValue]:
    """Return attributes; values that say nothing are left out."""
    return [KeyValue(key=key, value=found) for key, value in pairs if (found := _to_any(value)) is not None]


def _to_any(value: object) -> AnyValue | None:
    if isinstance(value, Decimal):
        value = float(value)
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and -_MAX_INT <= value < _MAX_INT:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return AnyValue(array_value=ArrayValue(values=filter(None, map(_to_any, value))))
    return AnyValue(string_value=clean(to_json(value)))


def clean(text: str) -> str:
    """Return a text without lone surrogates, which JSON can escape and protobuf cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)
