"""What differs between the vendors' protocols; the mock's server does the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
"""A JSON object, as a request or an answer of HTTP."""
_WORDS: Final = (
    "Traces", "turn", "a", "model's", "work", "into", "numbers", "that", "a", "team", "can", "trust.",
)  # fmt: skip

_TOOL_RESULTS: Final = ('"tool"', '"tool_result"', '"functionResponse"', '"function_call_output"')
"""One of these is in the messages of a request that carries the result of a tool."""


class ToolCall(NamedTuple):
    """A call of one of the application's functions."""

    name: str
    arguments: Json


class Answer(NamedTuple):
    """What the model says."""

    model: str
    words: list[str]
    input_tokens: int
    with_usage: bool
    """Whether a stream reports its usage."""
    tool_call: ToolCall | None = None
    """What the model asks for instead of saying the words, which still count as tokens."""


class Dialect(NamedTuple):
    """How a vendor writes answers and errors."""

    whole: Callable[[Answer], Json]
    events: Callable[[Answer], Iterator[Json]]
    error: Callable[[int], Json]
    request_id_header: str
    last_line: bytes = b""


def make_answer(
    model: str,
    body: Json,
    *,
    text: str = "",
    chunks: int = 12,
    padding: int = 0,
    tool_arguments: Json | None = None,
) -> Answer:
    """Return an answer of ``text``, or of so many stock words; a token is a word, four of three in a prompt.

    ``padding`` makes each stock word so many characters longer. With ``tool_arguments``, the answer calls the
    first of the request's tools, unless its result is there already.
    """
    said = body.get("messages") or body.get("contents") or body.get("input") or []
    messages: list[Json] = [{"content": said}] if isinstance(said, str) else said
    prompt = [str(message.get("content") or message.get("parts") or "") for message in messages]
    stock = [_WORDS[index % len(_WORDS)] + "x" * padding for index in range(chunks)]
    return Answer(
        model=model,
        words=text.split(" ") if text else stock,
        input_tokens=max(1, sum(len(message.split()) for message in prompt) * 4 // 3),
        with_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        tool_call=None if tool_arguments is None else _call_tool(body, messages, tool_arguments),
    )


def _call_tool(body: Json, messages: list[Json], arguments: Json) -> ToolCall | None:
    """Return a call of the first tool, of any vendor's dialect; None if there is none or it was called."""
    text = json.dumps(messages)
    if not body.get("tools") or any(mark in text for mark in _TOOL_RESULTS):
        return None
    tool = body["tools"][0]
    tool = tool.get("function") or (tool.get("functionDeclarations") or [tool])[0]
    return ToolCall(tool["name"], arguments)
