"""OpenAI: chat completions, Responses, embeddings and legacy completions, complete and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._call import Call
from llm_observe._guard import attempt
from llm_observe._providers.errors import read_error, to_code
from llm_observe._values import to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorObject

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
_NO_FIELDS: Final[dict[str, object]] = {}
_LAST_EVENTS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


def describe(options: VendorObject, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
    """Begin the Call of a request, if it runs a model."""
    operation = _OPERATIONS.get(options.url)
    body = options.json_data
    if operation is None or not isinstance(body, dict):
        return None
    call = Call("openai", operation, body.get("model"), sink)
    call.kind = options.url
    call.streamed = stream
    attempt("describe", _describe, body, call)
    return call


def _describe(body: dict[str, object], call: Call) -> None:
    call.has_deltas = call.kind == "/chat/completions" and (body.get("n") or 1) == 1
    note_input(body, call)


def note_input(body: dict[str, object], call: Call) -> None:
    """Record references to the newest user message, or to the prompt."""
    call.input_text = _input_text(body)


def _input_text(body: dict[str, object]) -> tuple[str, ...]:
    if "messages" in body:
        return last_user_text(body["messages"])
    prompt = body.get("input", body.get("prompt"))
    if isinstance(prompt, str):
        return (prompt,)
    if isinstance(prompt, list | tuple) and prompt and all(isinstance(part, str) for part in prompt):
        return tuple(prompt[:20])
    return last_user_text(prompt)


def last_user_text(messages: object) -> tuple[str, ...]:
    """Return references to the text of the newest user message; images and audio are omitted."""
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


def prepare(options: VendorObject, *, request_stream_usage: bool) -> tuple[VendorObject, bool]:
    """Request the usage chunk in a copy of the options, unless the application set include_usage itself."""
    body = options.json_data
    if options.url not in {"/chat/completions", "/completions"}:
        return options, False
    stream_options = body.get("stream_options")
    if not request_stream_usage or (stream_options is not None and not isinstance(stream_options, dict)):
        return options, False
    if stream_options is not None and "include_usage" in stream_options:
        return options, False
    stream_options = {**(stream_options or {}), "include_usage": True}
    return options.model_copy(update={"json_data": {**body, "stream_options": stream_options}}), True


def read_response(response: VendorObject, call: Call) -> None:
    """Record text, usage and finish reason of a complete answer of any endpoint."""
    attempt("read_ids", note_ids, response, call)
    if call.kind == "/responses":
        attempt("read_usage", _read_response_usage, response, call)
        attempt("read_status", _read_status, response, call)
        if not call.output_chunks:
            attempt("read_output", _read_output, response, call)
        return
    attempt("read_usage", _read_usage, response, call)
    if call.kind != "/embeddings":
        attempt("read_choice", _read_choice, response, call)


def note_ids(response: VendorObject, call: Call) -> None:
    """Record the model, the answer's id, its tier, and the request id that the client keeps on it."""
    call.response_model = response.model or ""
    fields = response.__dict__  # not getattr(), which is slow for a missing attribute of a model
    call.provider_response_id = fields.get("id") or call.provider_response_id
    call.provider_request_id = fields.get("_request_id") or call.provider_request_id
    call.service_tier = fields.get("service_tier") or call.service_tier


def _read_choice(response: VendorObject, call: Call) -> None:
    """Record the first of several answers: their texts would run together."""
    if not response.choices:
        return
    choice = response.choices[0]
    call.finish_reason = choice.finish_reason or ""
    if call.kind == "/completions":
        call.add_output(choice.text)
        return
    message = choice.message
    if message is None:
        return
    text = message.content or message.refusal
    if text:
        call.add_output(text)
    _note_tools(message.tool_calls, call)


def _read_status(response: VendorObject, call: Call) -> None:
    """Record how a Response ended."""
    reason = getattr(getattr(response, "incomplete_details", None), "reason", None)
    call.finish_reason = reason or getattr(response, "status", None) or ""
    if error := getattr(response, "error", None):
        call.error_code = to_code(getattr(error, "code", None)) or "error"
        call.error_message = to_text(getattr(error, "message", None))


def _read_output(response: VendorObject, call: Call) -> None:
    for item in response.output or ():
        attempt("read_item", _read_item, item, call)


def _read_item(item: VendorObject, call: Call) -> None:
    """Record the text of one item of a Response."""
    if getattr(item, "type", "") == "function_call":
        call.add_output(f"[tool call] {item.name} ")
        call.add_output(item.arguments)
    for part in getattr(item, "content", None) or ():
        call.add_output(getattr(part, "text", None) or getattr(part, "refusal", None))


def read_chunk(chunk: VendorObject, call: Call) -> bool:
    """Record text, usage and finish reason of a completion's chunk or a Response's event.

    Runs for every chunk on the application's thread: it only reads attributes, the likeliest first.
    """
    if call.kind == "/responses":
        _read_event(chunk.type, chunk, call)
        return False
    if not chunk.choices:
        attempt("read_usage", _read_usage, chunk, call)
        return chunk.usage is not None
    if not call.response_model:
        attempt("read_ids", note_ids, chunk, call)
    attempt("read_delta", _read_delta, chunk, call)
    attempt("read_ending", _read_ending, chunk, call)
    return False


def _read_delta(chunk: VendorObject, call: Call) -> None:
    """Record the text of a chunk, if it belongs to the first of several answers."""
    choice = chunk.choices[0]
    if call.kind == "/completions":
        delta, text = None, choice.text
    else:
        delta = choice.delta
        text = delta.content if delta is not None else None
    if text:
        call.note_first_token()
        if not choice.index:
            call.add_output(text)
    elif delta is not None and not choice.index:
        _read_rare_delta(delta, call)


def _read_rare_delta(delta: VendorObject, call: Call) -> None:
    text = delta.refusal
    if text:
        call.note_first_token()
        call.add_output(text)
    elif delta.tool_calls:
        call.note_first_token()
        _note_tools(delta.tool_calls, call)


def _read_ending(chunk: VendorObject, call: Call) -> None:
    """Record the rest of a chunk: finish reason, and usage, which some servers send in every chunk."""
    if chunk.usage is not None:
        attempt("read_usage", _read_usage, chunk, call)
    choice = chunk.choices[0]
    if choice.finish_reason and not choice.index:
        call.finish_reason = choice.finish_reason


def _read_event(kind: str, event: VendorObject, call: Call) -> None:
    if kind in _TEXT_EVENTS or kind in _TOOL_EVENTS:
        call.note_first_token()
        call.add_output(event.delta)
    elif kind in _LAST_EVENTS:
        read_response(event.response, call)
    elif kind == "response.created":
        note_ids(event.response, call)


def _note_tools(tool_calls: VendorObject, call: Call) -> None:
    for tool in tool_calls or ():
        function = getattr(tool, "function", None)
        if function is None:
            continue
        if function.name:
            call.add_output(f"[tool call] {function.name} ")
        if function.arguments:
            call.add_output(function.arguments)


def _read_usage(answer: VendorObject, call: Call) -> None:
    """Record usage. OpenAI's prompt and completion tokens include cached and reasoning tokens, as ours do."""
    usage = answer.usage
    if usage is None:
        return
    call.input_tokens = getattr(usage, "prompt_tokens", None)
    call.total_tokens = getattr(usage, "total_tokens", None)
    if call.kind == "/embeddings":
        return
    call.output_tokens = getattr(usage, "completion_tokens", None)
    _read_details(usage, "prompt_tokens_details", "completion_tokens_details", call)


def _read_response_usage(response: VendorObject, call: Call) -> None:
    usage = response.usage
    if usage is None:
        return
    call.input_tokens = getattr(usage, "input_tokens", None)
    call.output_tokens = getattr(usage, "output_tokens", None)
    call.total_tokens = getattr(usage, "total_tokens", None)
    _read_details(usage, "input_tokens_details", "output_tokens_details", call)


def _read_details(usage: VendorObject, of_input: str, of_output: str, call: Call) -> None:
    """Record the parts of the counts."""
    details = getattr(usage, of_input, None)
    if details is not None:
        call.cache_read_tokens = getattr(details, "cached_tokens", None)
        call.audio_input_tokens = _undeclared(details, "audio_tokens")
    details = getattr(usage, of_output, None)
    if details is not None:
        call.reasoning_tokens = getattr(details, "reasoning_tokens", None)
        call.audio_output_tokens = _undeclared(details, "audio_tokens")


def _undeclared(details: VendorObject, name: str) -> VendorObject:
    """Return a field that not every class of details declares; getattr() is slow where it is missing."""
    fields = getattr(details, "__dict__", None) or _NO_FIELDS
    if name in fields:
        return fields[name]
    return (getattr(details, "__pydantic_extra__", None) or _NO_FIELDS).get(name)
