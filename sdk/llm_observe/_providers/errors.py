"""Failures of clients that Stainless generates (OpenAI, Anthropic): code, HTTP status, request id."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_observe._call import Call


def read_error(error: BaseException, call: Call) -> None:
    """Take code, HTTP status and request id from a vendor's error."""
    status = getattr(error, "status_code", None)
    call.http_status = status if isinstance(status, int) else None
    call.provider_request_id = getattr(error, "request_id", None) or ""
    code = getattr(error, "code", None) or getattr(error, "type", None)
    call.error_code = str(code) if code else code_by_class(error)
    call.error_message = getattr(error, "message", None) or error


def code_by_class(error: BaseException) -> str:
    """Name a failure that has no code of its own."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if any("Timeout" in name for name in kinds):
        return "timeout"
    if any("Connection" in name or "Connect" in name for name in kinds):
        return "connection_error"
    return type(error).__name__
