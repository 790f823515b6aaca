"""Anthropic's messages."""

from __future__ import annotations

import json
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
        "content": [_block(answer, " ".join(answer.words))],
        "stop_reason": _stop_reason(answer),
        "stop_sequence": None,
        "usage": _usage(answer, len(answer.words)),
    }


def _stop_reason(answer: Answer) -> str:
    return "end_turn" if answer.tool_call is None else "tool_use"


def _block(answer: Answer, text: str) -> Json:
    call = answer.tool_call
    if call is None:
        return {"type": "text", "text": text}
    return {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex}", "name": call.name, "input": call.arguments}


def _deltas(answer: Answer) -> Iterator[Json]:
    if answer.tool_call is not None:
        yield {"type": "input_json_delta", "partial_json": json.dumps(answer.tool_call.arguments)}
        return
    for word in answer.words:
        yield {"type": "text_delta", "text": f"{word} "}


def _events(answer: Answer) -> Iterator[Json]:
    begun = {**_whole(answer), "content": [], "stop_reason": None, "usage": _usage(answer, 1)}
    yield {"type": "message_start", "message": begun}
    block = _block(answer, "")
    if answer.tool_call is not None:
        block["input"] = {}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    for delta in _deltas(answer):
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _stop_reason(answer), "stop_sequence": None},
        "usage": {"output_tokens": len(answer.words)},
    }
    yield {"type": "message_stop"}


ANTHROPIC: Final = Dialect(whole=_whole, events=_events, error=_error, request_id_header="request-id")
