"""How a call ended: emitters have a convention for errors, and none for calls that were abandoned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from codec.otlp.span import STATUS_ERROR, STATUS_OK
from codec.otlp.values import to_count, to_flag, to_text

if TYPE_CHECKING:
    from codec.otlp.span import Event, Span
    from codec.otlp.values import Value

SUCCESS: Final = "SUCCESS"
ERROR: Final = "ERROR"
CANCELLED: Final = "CANCELLED"
_MAX_MESSAGE_CHARS: Final = 4_000
_CANCELLATIONS: Final = re.compile(
    r"(?:^|[.\s'<:])(?:CancelledError|CanceledError|Cancelled|GeneratorExit|AbortError|ResponseAborted"
    r"|APIUserAbortError|TaskCancelled|OperationCanceledException)(?:$|[^\w])"
    r"|^(?:abandoned stream|stream (?:closed|abandoned|aborted))",
    re.IGNORECASE,
)
_ABANDONED: Final = {"error", "cancelled", "canceled", "abort", "aborted", "incomplete_stream"}
"""Finish reasons of a call that has no error: the stream was left before its end."""
_STATUS: Final = re.compile(
    r"(?:error code|status[ _]?code|http(?: status)?|status|code)['\"]?\s*[:=]?\s*\(?(\d{3})\b"
    r"|(?:^|[\s'\"(])(\d{3})\s+(?:[A-Z_]{4,}|Client Error|Server Error|Too Many)",
    re.IGNORECASE,
)
_STATUS_OF_TYPE: Final = {
    "badrequesterror": 400, "invalid_request_error": 400, "authenticationerror": 401,
    "authentication_error": 401,
    "permissiondeniederror": 403, "permission_error": 403, "notfounderror": 404, "not_found_error": 404,
    "unprocessableentityerror": 422, "ratelimiterror": 429, "rate_limit_error": 429,
    "internalservererror": 500,
    "api_error": 500, "overloaded_error": 529, "conflicterror": 409, "overloadederror": 529,
    # Amazon Bedrock's
    "throttlingexception": 429, "validationexception": 400, "accessdeniedexception": 403,
    "resourcenotfoundexception": 404, "modeltimeoutexception": 408, "modelnotreadyexception": 429,
    "servicequotaexceededexception": 400, "internalserverexception": 500, "serviceunavailableexception": 503,
    # Google's
    "resource_exhausted": 429, "resourceexhausted": 429, "toomanyrequests": 429, "invalid_argument": 400,
    "invalidargument": 400, "permission_denied": 403, "permissiondenied": 403, "unauthenticated": 401,
    "not_found": 404, "notfound": 404, "deadline_exceeded": 504, "deadlineexceeded": 504, "unavailable": 503,
    "serviceunavailable": 503,
}  # fmt: skip
_REQUEST_ID: Final = re.compile(r"request[_ -]?id['\"]?\s*[:=]?\s*['\"]?([\w-]{16,100})", re.IGNORECASE)
_FAILURES: Final = range(400, 600)
_TRACEBACK: Final = re.compile(r"\s*(?:Traceback \(most recent call last\)|\n\s+at [\w.<]+ ?\()")
_CODE_KEYS: Final = ("error.type", "error.code", "exception.type", "error_type")
_MESSAGE_KEYS: Final = ("error.message", "exception.message", "langfuse.observation.status_message", "error")
_HTTP_KEYS: Final = (
    "http.response.status_code",
    "http.status_code",
    "error.code",
    "error.type",
    "status_code",
)


class Outcome(NamedTuple):
    """How a call ended, and why."""

    outcome: str
    error_code: str = ""
    http_status: int | None = None
    error_message: str = ""


class Answer(NamedTuple):
    """What is known of a call's answer."""

    finish_reason: str | None
    """Empty where the emitter says that there was none, None where it says nothing."""
    output_tokens: int | None
    has_text: bool
    streamed: bool | None
    """None where nobody says."""
    ends_are_told: bool
    """Whether the emitter tells finish reasons at all."""


def outcome_of(span: Span, answer: Answer) -> Outcome:
    """Tell how a call ended."""
    exception = _exception_of(span)
    if _has_error(span, exception):
        code, message = _error_code(span, exception), _error_message(span, exception)
        if _CANCELLATIONS.search(code) or _CANCELLATIONS.search(message[:200]):
            return Outcome(CANCELLED)
        return Outcome(ERROR, code, _http_status(span, code, message), message)
    if (answer.finish_reason or "").lower() in _ABANDONED or _was_left(span, answer):
        return Outcome(CANCELLED)
    return Outcome(SUCCESS)


def request_id_in_error(span: Span) -> Value:
    """Take the provider's id of a request from the text of its error."""
    if span.status_code != STATUS_ERROR:
        return None
    match = _REQUEST_ID.search(_error_message(span, _exception_of(span)))
    return match[1] if match else None


def _exception_of(span: Span) -> Event | None:
    return next((event for event in reversed(span.events) if event.name == "exception"), None)


def _has_error(span: Span, exception: Event | None) -> bool:
    if span.status_code == STATUS_ERROR or span.text("langfuse.observation.level").upper() == "ERROR":
        return True
    if to_flag(span.attributes.get("success")) is False:
        return True
    if span.status_code == STATUS_OK:
        return False  # an exception that was handled
    return bool(span.text("error.type")) or exception is not None


def _was_left(span: Span, answer: Answer) -> bool:
    """Tell whether a call without an error has nothing of what a whole answer has."""
    if answer.finish_reason or answer.output_tokens:
        return False
    if answer.finish_reason == "":
        return not answer.has_text or bool(answer.streamed)
    if span.status_code == STATUS_OK or not answer.ends_are_told:
        return False
    return bool(answer.streamed) or not answer.has_text


def _error_code(span: Span, exception: Event | None) -> str:
    for key in _CODE_KEYS:
        text = span.text(key)
        if text and text != "_OTHER":
            return text[:100]
    if exception is not None:
        return (to_text(exception.attributes.get("exception.type")) or "").rpartition(".")[2][:100]
    head, colon, _ = span.status_message.partition(":")
    return head[:100] if colon and re.fullmatch(r"[A-Za-z_][\w.]*", head) else ""


def _error_message(span: Span, exception: Event | None) -> str:
    texts = [span.status_message, *(span.text(key) for key in _MESSAGE_KEYS)]
    if exception is not None:
        texts.append(to_text(exception.attributes.get("exception.message")) or "")
    text = next((text for text in texts if text.strip()), "")[:_MAX_MESSAGE_CHARS]
    # Stack traces name paths and hold arguments.
    return text[: match.start()] if (match := _TRACEBACK.search(text)) else text


def _http_status(span: Span, code: str, message: str) -> int | None:
    for key in _HTTP_KEYS:
        status = to_count(span.attributes.get(key))
        if status in _FAILURES:
            return status
    for match in _STATUS.finditer(message):
        status = int(match[1] or match[2])
        if status in _FAILURES:
            return status
    return _STATUS_OF_TYPE.get(code.rpartition(".")[2].lower())
