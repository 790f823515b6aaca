"""Page tokens: opaque, bound to the call they came from. They grant nothing, so they are not signed."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from server.rpc.errors import PageTokenMismatch

if TYPE_CHECKING:
    from google.protobuf.message import Message

_VERSION: Final = 1
_CURSOR_FIELDS: Final = ("page_token", "page_size")


class Cursor(NamedTuple):
    """The last row of a page, and the window its first page fixed."""

    start_time: datetime
    log_id: UUID
    window_start: datetime
    window_end: datetime


def make_token(request: Message, cursor: Cursor) -> str:
    """Return the token that continues after a row."""
    times = [moment.isoformat() for moment in (cursor.start_time, cursor.window_start, cursor.window_end)]
    body = json.dumps([_VERSION, *times, str(cursor.log_id), _fingerprint(request)])
    return base64.urlsafe_b64encode(body.encode()).decode("ascii")


def read_token(request: Message, token: str) -> Cursor:
    """Return the cursor of a token.

    Raises:
        PageTokenMismatch: It is not ours, or belongs to a call with other arguments.
    """
    try:
        version, *times, log_id, fingerprint = json.loads(base64.urlsafe_b64decode(token.encode()))
        start, window_start, window_end = (datetime.fromisoformat(text).astimezone(UTC) for text in times)
        cursor = Cursor(start, UUID(log_id), window_start, window_end)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise PageTokenMismatch from None
    if version != _VERSION or fingerprint != _fingerprint(request):
        raise PageTokenMismatch
    return cursor


def _fingerprint(request: Message) -> str:
    arguments = type(request)()
    arguments.CopyFrom(request)
    for field in _CURSOR_FIELDS:
        arguments.ClearField(field)
    return hashlib.sha256(arguments.SerializeToString(deterministic=True)).hexdigest()[:16]
