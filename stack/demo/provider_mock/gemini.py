"""Gemini's generateContent and streamGenerateContent."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from stack.demo.provider_mock.dialect import Answer, Dialect, Json

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_TOO_LONG: Final = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."


def _error(status: int) -> Json:
    message = _TOO_LONG if status == 400 else f"mock error {status}"  # noqa: PLR2004 - HTTP bad request
    return {"error": {"code": status, "status": _STATUSES.get(status, "INTERNAL"), "message": message}}


def _usage(answer: Answer, output_tokens: int) -> Json:
    return {
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": output_tokens,
        "totalTokenCount": answer.input_tokens + output_tokens,
    }


def _piece(answer: Answer, text: str, said: int, response_id: str, *, last: bool) -> Json:
    part: Json = {"text": text}
    if answer.tool_call is not None:
        part = {"functionCall": {"name": answer.tool_call.name, "args": answer.tool_call.arguments}}
    candidate: Json = {"content": {"parts": [part], "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    return {
        "candidates": [candidate],
        "usageMetadata": _usage(answer, said),
        "modelVersion": f"{answer.model}-mock",
        "responseId": response_id,
    }


def _whole(answer: Answer) -> Json:
    return _piece(answer, " ".join(answer.words), len(answer.words), uuid.uuid4().hex, last=True)


def _events(answer: Answer) -> Iterator[Json]:
    response_id = uuid.uuid4().hex
    if answer.tool_call is not None:
        yield _piece(answer, "", len(answer.words), response_id, last=True)
        return
    for said, word in enumerate(answer.words, start=1):
        yield _piece(answer, f"{word} ", said, response_id, last=said == len(answer.words))


GEMINI: Final = Dialect(whole=_whole, events=_events, error=_error, request_id_header="x-goog-request-id")
