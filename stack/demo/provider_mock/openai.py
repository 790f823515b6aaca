"""OpenAI's chat completions."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Final

from stack.demo.provider_mock.dialect import Answer, Dialect, Json, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

_ERROR_CODES: Final = {
    400: ("invalid_request_error", "context_length_exceeded"),
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("requests", "rate_limit_exceeded"),
}


def _error(status: int) -> Json:
    kind, code = _ERROR_CODES.get(status, ("server_error", None))
    return {"error": {"message": f"mock error {status}", "type": kind, "param": None, "code": code}}


def _usage(answer: Answer) -> Json:
    output_tokens = len(answer.words)
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": answer.input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _head(answer: Answer, kind: str) -> Json:
    name = f"chatcmpl-{uuid.uuid4().hex}"
    return {"id": name, "object": kind, "created": int(time.time()), "model": f"{answer.model}-mock"}


def _whole(answer: Answer) -> Json:
    message: Json = {"role": "assistant", "content": " ".join(answer.words), "refusal": None}
    if answer.tool_call is not None:
        message |= {"content": None, "tool_calls": [_tool_call(answer.tool_call)]}
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer), "logprobs": None}
    return {**_head(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer)}


def _finish(answer: Answer) -> str:
    return "stop" if answer.tool_call is None else "tool_calls"


def _tool_call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": function}


def _events(answer: Answer) -> Iterator[Json]:
    head = _head(answer, "chat.completion.chunk")

    def event(delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**head, "choices": [choice], "usage": None}

    yield event({"role": "assistant", "content": ""})
    if answer.tool_call is not None:
        yield event({"tool_calls": [{"index": 0, **_tool_call(answer.tool_call)}]})
    for word in () if answer.tool_call else answer.words:
        yield event({"content": f"{word} "})
    yield event({}, _finish(answer))
    if answer.with_usage:
        yield {**head, "choices": [], "usage": _usage(answer)}


OPENAI: Final = Dialect(
    whole=_whole,
    events=_events,
    error=_error,
    request_id_header="x-request-id",
    last_line=b"data: [DONE]\n\n",
)
