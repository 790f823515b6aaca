"""Keyset pages.

A page token is opaque and bound to the call that it came from. It grants nothing, so it is not signed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar, overload
from uuid import UUID

from server.rpc.errors import PageTokenMismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.message import Message

    A = TypeVar("A", str, UUID, datetime)
    B = TypeVar("B", str, UUID, datetime)
    C = TypeVar("C", str, UUID, datetime)
    D = TypeVar("D", str, UUID, datetime)
    E = TypeVar("E", str, UUID, datetime)

Row = TypeVar("Row")
Cursor: TypeAlias = tuple[str | UUID | datetime, ...]
"""What continues after a row: its key in the order of the list, and what the first page has fixed."""

_VERSION: Final = 2
_LATEST: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
_PAGE_FIELDS: Final = ("page_token", "page_size", "search_time")
"""Arguments that may differ from page to page."""


class Page(NamedTuple, Generic[Row]):
    """The rows of a page, and the token of the next; empty at the end."""

    rows: Sequence[Row]
    next_page_token: str

    @classmethod
    def of(cls, rows: Sequence[Row], size: int, request: Message, key: Callable[[Row], Cursor]) -> Page[Row]:
        """Return a page of up to ``size`` rows.

        Args:
            rows: Up to ``size`` + 1 rows; the extra one shows that another page follows.
            size: Rows per page.
            request: The call that asks for the page.
            key: Makes the cursor that continues after a row.
        """
        shown = rows[:size]
        return cls(shown, make_page_token(request, key(shown[-1])) if len(rows) > size else "")


@overload
def read_cursor(request: Message, token: str, a: type[A], /) -> tuple[A] | None: ...
@overload
def read_cursor(request: Message, token: str, a: type[A], b: type[B], /) -> tuple[A, B] | None: ...
@overload
def read_cursor(
    request: Message, token: str, a: type[A], b: type[B], c: type[C], d: type[D], /
) -> tuple[A, B, C, D] | None: ...
@overload
def read_cursor(
    request: Message, token: str, a: type[A], b: type[B], c: type[C], d: type[D], e: type[E], /
) -> tuple[A, B, C, D, E] | None: ...
def read_cursor(request: Message, token: str, /, *types: type) -> Cursor | None:
    """Return the cursor in a page token, or None without a token.

    Args:
        request: The call that asks for the page.
        token: Its page_token.
        types: Of the cursor's values, in order.

    Raises:
        PageTokenMismatch: The token is not ours, or belongs to a call with other arguments.
    """
    if not token:
        return None
    try:
        version, fingerprint, *values = json.loads(base64.urlsafe_b64decode(token.encode()))
        cursor = tuple(_PARSERS[kind](value) for kind, value in zip(types, values, strict=True))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise PageTokenMismatch from None
    if (version, fingerprint) != (_VERSION, _fingerprint(request)):
        raise PageTokenMismatch
    return cursor


def _parse_time(text: str) -> datetime:
    time = datetime.fromisoformat(text).astimezone(UTC)
    if time > _LATEST:
        raise ValueError("leaves no room to count on from it")
    return time


_PARSERS: Final[dict[type, Callable[[Any], str | UUID | datetime]]] = {
    str: str,
    UUID: UUID,
    datetime: _parse_time,
}


def make_page_token(request: Message, cursor: Cursor) -> str:
    """Return the token of a page that the same call may ask for."""
    values = [value.isoformat() if isinstance(value, datetime) else str(value) for value in cursor]
    body = json.dumps([_VERSION, _fingerprint(request), *values])
    return base64.urlsafe_b64encode(body.encode()).decode("ascii")


def _fingerprint(request: Message) -> str:
    """Return a digest of a call's method and arguments, but for those that choose the page."""
    arguments = type(request)()
    arguments.CopyFrom(request)
    for field in _PAGE_FIELDS:
        if field in request.DESCRIPTOR.fields_by_name:
            arguments.ClearField(field)
    text = request.DESCRIPTOR.full_name.encode() + arguments.SerializeToString(deterministic=True)
    return hashlib.sha256(text).hexdigest()[:16]
