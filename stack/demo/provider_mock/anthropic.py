"""Anthropic's messages."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from stack.demo.provider_mock.dialect import Answer, Dialect, Json

if TYPE_CHECKING:
    from collections.abc import Iterator

_ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_TOO_LONG: Final = "prompt is too long: 200001 tokens > 200000 maximum"


def _error(status: int) -> Json:
    message = _TOO_LONG if status == 400 else f"mock error {status}"  # noqa: PLR2004 - HTTP bad request
    return {"type": "error", "error": {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}}


def _usage(answer: Answer, output_tokens: int) -> Json:
    return {
        "input_tokens": answer.input_tokens,
        "output_tokens": output_tokens,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
    }


def _whole(answer: Answer) -> Json:
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": f"{answer.model}-mock",
        "content": [{"type": "text", "text": " ".join(answer.words)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _usage(answer, len(answer.words)),
    }


def _events(answer: Answer) -> Iterator[Json]:
    begun = {**_whole(answer), "content": [], "stop_reason": None, "usage": _usage(answer, 1)}
    yield {"type": "message_start", "message": begun}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in answer.words:
        delta = {"type": "text_delta", "text": f"{word} "}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": len(answer.words)},
    }
    yield {"type": "message_stop"}


ANTHROPIC: Final = Dialect(whole=_whole, events=_events, error=_error, request_id_header="request-id")
