"""OpenAI's Responses."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Final

from stack.demo.provider_mock.dialect import Answer, Dialect, Json
from stack.demo.provider_mock.openai import OPENAI

if TYPE_CHECKING:
    from collections.abc import Iterator


def _usage(answer: Answer) -> Json:
    output_tokens = len(answer.words)
    return {
        "input_tokens": answer.input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": answer.input_tokens + output_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }


def _text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": []}


def _item(answer: Answer, text: str) -> Json:
    """Return the only item of the output: a message, or the call of a tool."""
    call = answer.tool_call
    if call is None:
        content = [_text_part(text)] if text else []
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
    arguments = json.dumps(call.arguments) if text else ""
    return {
        "id": "fc_1",
        "type": "function_call",
        "call_id": f"call_{uuid.uuid4().hex}",
        "name": call.name,
        "arguments": arguments,
        "status": "completed",
    }


def _whole(answer: Answer) -> Json:
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "model": f"{answer.model}-mock",
        "status": "completed",
        "output": [_item(answer, " ".join(answer.words))],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": _usage(answer),
    }


def _events(answer: Answer) -> Iterator[Json]:
    for number, event in enumerate(_unnumbered(answer)):
        yield {**event, "sequence_number": number}


def _unnumbered(answer: Answer) -> Iterator[Json]:
    whole = _whole(answer)
    (item,) = whole["output"]
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    place = {"item_id": item["id"], "output_index": 0}
    yield {"type": "response.created", "response": begun}
    empty = {**item, **({"content": []} if answer.tool_call is None else {"arguments": ""})}
    yield {"type": "response.output_item.added", "output_index": 0, "item": empty}
    if answer.tool_call is not None:
        arguments = item["arguments"]
        yield {"type": "response.function_call_arguments.delta", **place, "delta": arguments}
        done = {"arguments": arguments, "name": item["name"]}
        yield {"type": "response.function_call_arguments.done", **place, **done}
    else:
        yield from _text_events(answer, place)
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": whole}


def _text_events(answer: Answer, place: Json) -> Iterator[Json]:
    place = {**place, "content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": _text_part("")}
    for word in answer.words:
        yield {"type": "response.output_text.delta", **place, "delta": f"{word} ", "logprobs": []}
    text = " ".join(answer.words)
    yield {"type": "response.output_text.done", **place, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": _text_part(text)}


RESPONSES: Final = Dialect(
    whole=_whole, events=_events, error=OPENAI.error, request_id_header=OPENAI.request_id_header
)
