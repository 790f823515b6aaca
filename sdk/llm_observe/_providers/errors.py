"""Failures of clients that Stainless generates (OpenAI, Anthropic): code, HTTP status, request id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from llm_observe._call import KEPT_TEXT_CHARS
from llm_observe._values import to_http_status, to_text

if TYPE_CHECKING:
    from llm_observe._call import Call

_CODE: Final = re.compile(r"[\w.:/+-]{1,100}")


def read_error(error: BaseException, call: Call) -> None:
    """Take code, HTTP status and request id from a vendor's error."""
    note_failure(call, error, code=attribute(error, "code") or attribute(error, "type"))
    call.http_status = to_http_status(attribute(error, "status_code"))
    call.provider_request_id = to_text(attribute(error, "request_id"))


def note_failure(call: Call, error: BaseException, *, code: Any) -> None:
    """Take the code and the text of an error, not the error: it holds the frames of the application."""
    call.error_code = to_code(code) or code_by_class(error)
    call.error_message = to_text(attribute(error, "message") or error)[:KEPT_TEXT_CHARS]


def attribute(error: BaseException, name: str) -> Any:
    """Return an attribute of an error; None when there is none, or when reading it fails."""
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001 - a property of the application's own error may raise anything
        return None


def to_code(value: Any) -> str:
    """Return an error code as text; empty unless it is one word: a sentence may quote what was asked."""
    text = to_text(value)
    return text if _CODE.fullmatch(text) else ""


def code_by_class(error: object) -> str:
    """Name a failure that has no code of its own."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if any("Timeout" in name for name in kinds):
        return "timeout"
    if any("Connection" in name or "Connect" in name for name in kinds):
        return "connection_error"
    return type(error).__name__
