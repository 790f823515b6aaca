"""Finds the provider's id of a response in what emitters keep of the response itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.sources import Reader
from codec.otlp.values import dig, to_text

if TYPE_CHECKING:
    from codec.otlp.span import Span
    from codec.otlp.values import Value

_PATHS: Final[tuple[tuple[str | int, ...], ...]] = (
    ("id",),
    ("response", "id"),
    ("generations", 0, 0, "message", "kwargs", "response_metadata", "id"),
    ("generations", 0, 0, "message", "response_metadata", "id"),
    ("response_metadata", "id"),
    ("llm_output", "id"),
    ("generations", 0, 0, "message", "kwargs", "id"),
    ("generations", 0, 0, "message", "id"),
)
_BEGINNINGS: Final = ("chatcmpl-", "cmpl-", "resp_", "msg_", "gen-", "embd-")
"""How the ids of providers begin; frameworks give ids of their own in the same places."""


def response_id_in(key: str) -> Reader:
    """Take the provider's id of the response from an attribute that holds the response as JSON text."""

    def read(span: Span) -> Value:
        response = span.messages(key) if key in span.attributes else None
        for path in _PATHS:
            found = to_text(dig(response, *path)) if isinstance(response, dict) else None
            if found and found.startswith(_BEGINNINGS):
                return found
        return None

    return Reader(read, (key,))
