"""OpenAI: chat completions, Responses, embeddings and legacy completions, plain and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llm_observe._call import Call
from llm_observe._providers.errors import read_error

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["describe", "prepare", "read_chunk", "read_error", "read_response"]

_OPERATIONS: Final = {
    "/chat/completions": "chat",
    "/responses": "chat",
    "/embeddings": "embeddings",
    "/completions": "text_completion",
}
_TEXT_EVENTS: Final = frozenset({"response.output_text.delta", "response.refusal.delta"})
_TOOL_EVENTS: Final = frozenset(
    {"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"}
)
_LAST_EVENTS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


def describe(options: Any, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
    """Begin a Call for a request that runs a model."""
    operation = _OPERATIONS.get(options.url)
    body = options.json_data
    if operation is None or not isinstance(body, dict):
        return None
    call = Call("openai", operation, str(body.get("model", "")), sink)
    call.streamed = stream
    call.input_text = input_text(body)
    return call


def input_text(body: dict[str, Any]) -> tuple[str, ...]:
    """Return references to what was asked: the newest user message, or the prompt."""
    if "messages" in body:
        return _last_user_text(body["messages"])
    asked = body.get("input", body.get("prompt"))
    if isinstance(asked, str):
        return (asked,)
    if isinstance(asked, list | tuple) and asked and all(isinstance(part, str) for part in asked):
        return tuple(asked[:20])
    return _last_user_text(asked)


def _last_user_text(messages: Any) -> tuple[str, ...]:
    """Return references to the text of the newest user message; images and audio are left out."""
    if not isinstance(messages, list | tuple):
        return ()
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return (content,)
            if isinstance(content, list | tuple):
                parts = (part.get("text") for part in content if isinstance(part, dict))
                return tuple(part for part in parts if isinstance(part, str))
            return ()
    return ()


def prepare(options: Any, *, request_stream_usage: bool) -> tuple[Any, bool]:
    """Ask for the usage chunk unless the application did; a copy of the options carries the wish."""
    body = options.json_data
    if options.url not in {"/chat/completions", "/completions"}:
        return options, False
    asked = body.get("stream_options")
    if not request_stream_usage or (asked is not None and not isinstance(asked, dict)):
        return options, False
    if asked is not None and "include_usage" in asked:
        return options, False
    wanted = {**(asked or {}), "include_usage": True}
    return options.model_copy(update={"json_data": {**body, "stream_options": wanted}}), True


def read_response(response: Any, call: Call) -> None:
    """Take text, usage and reasons from a whole answer of any endpoint."""
    call.response_model = getattr(response, "model", None) or ""
    call.provider_request_id = getattr(response, "_request_id", None) or call.provider_request_id
    _read_usage(getattr(response, "usage", None), call)
    if hasattr(response, "output"):
        _read_output(response, call)
    for choice in getattr(response, "choices", None) or ():
        _read_choice(choice, call)


def _read_choice(choice: Any, call: Call) -> None:
    call.finish_reason = call.finish_reason or choice.finish_reason or ""
    message = getattr(choice, "message", None)
    if message is None:
        call.add_output(getattr(choice, "text", "") or "")
        return
    text = message.content or message.refusal
    if text:
        call.add_output(text)
    _note_tools(message.tool_calls, call)


def _read_output(response: Any, call: Call) -> None:
    """Take text and ending from a Response."""
    reason = getattr(getattr(response, "incomplete_details", None), "reason", None)
    call.finish_reason = reason or getattr(response, "status", None) or ""
    if call.output_pieces:
        return
    for item in response.output or ():
        if getattr(item, "type", "") == "function_call":
            call.add_output(f"[tool call] {item.name} {item.arguments}")
        for part in getattr(item, "content", None) or ():
            call.add_output(getattr(part, "text", None) or getattr(part, "refusal", None) or "")


def read_chunk(chunk: Any, call: Call) -> bool:
    """Take text, usage and reasons from a chunk of a completion or an event of a Response."""
    kind = getattr(chunk, "type", None)
    if kind is not None:
        _read_event(kind, chunk, call)
        return False
    usage = chunk.usage
    if usage is not None:
        _read_usage(usage, call)
    if not call.response_model:
        call.response_model = chunk.model or ""
    choices = chunk.choices
    if not choices:
        return usage is not None
    for choice in choices:
        _read_delta(choice, call)
    return False


def _read_delta(choice: Any, call: Call) -> None:
    delta = getattr(choice, "delta", None)
    text = choice.text if delta is None else delta.content or delta.refusal
    if text:
        call.note_first_token()
        call.add_output(text)
    elif delta is not None and delta.tool_calls:
        call.note_first_token()
        _note_tools(delta.tool_calls, call)
    if choice.finish_reason:
        call.finish_reason = choice.finish_reason


def _read_event(kind: str, event: Any, call: Call) -> None:
    if kind in _TEXT_EVENTS or kind in _TOOL_EVENTS:
        call.note_first_token()
        call.add_output(event.delta)
    elif kind in _LAST_EVENTS:
        read_response(event.response, call)


def _note_tools(tool_calls: Any, call: Call) -> None:
    for tool in tool_calls or ():
        function = getattr(tool, "function", None)
        if function is None:
            continue
        if function.name:
            call.add_output(f"[tool call] {function.name} ")
        if function.arguments:
            call.add_output(function.arguments)


def _read_usage(usage: Any, call: Call) -> None:
    """OpenAI counts cached tokens within the input and reasoning within the output already."""
    if usage is None:
        return
    responses = hasattr(usage, "input_tokens")
    call.input_tokens = usage.input_tokens if responses else usage.prompt_tokens
    call.output_tokens = usage.output_tokens if responses else getattr(usage, "completion_tokens", None)
    call.total_tokens = usage.total_tokens
    sent = getattr(usage, "input_tokens_details" if responses else "prompt_tokens_details", None)
    made = getattr(usage, "output_tokens_details" if responses else "completion_tokens_details", None)
    if sent is not None:
        call.cache_read_tokens = sent.cached_tokens
    if made is not None:
        call.reasoning_tokens = made.reasoning_tokens
