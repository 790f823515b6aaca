"""OpenAI: chat completions, plain and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_observe._call import Call

if TYPE_CHECKING:
    from collections.abc import Callable

_OPERATIONS = {"/chat/completions": "chat"}


def describe(options: Any, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
    """Begin a Call for a chat completion."""
    operation = _OPERATIONS.get(options.url)
    body = options.json_data
    if operation is None or not isinstance(body, dict):
        return None
    call = Call("openai", operation, str(body.get("model", "")), sink)
    call.streamed = stream
    call.input_text = _last_user_text(body.get("messages"))
    return call


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
    asked = body.get("stream_options")
    if not request_stream_usage or (asked is not None and not isinstance(asked, dict)):
        return options, False
    if asked is not None and "include_usage" in asked:
        return options, False
    wanted = {**(asked or {}), "include_usage": True}
    return options.model_copy(update={"json_data": {**body, "stream_options": wanted}}), True


def read_response(response: Any, call: Call) -> None:
    """Take text, usage and reasons from a ChatCompletion."""
    call.response_model = getattr(response, "model", None) or ""
    call.provider_request_id = getattr(response, "_request_id", None) or ""
    _read_usage(getattr(response, "usage", None), call)
    for choice in getattr(response, "choices", None) or ():
        call.finish_reason = call.finish_reason or choice.finish_reason or ""
        text = choice.message.content or choice.message.refusal
        if text:
            call.add_output(text)
        _note_tools(choice.message.tool_calls, call)


def read_chunk(chunk: Any, call: Call) -> bool:
    """Take text, usage and reasons from a ChatCompletionChunk."""
    usage = chunk.usage
    if usage is not None:
        _read_usage(usage, call)
    if not call.response_model:
        call.response_model = chunk.model or ""
    choices = chunk.choices
    if not choices:
        return usage is not None
    for choice in choices:
        delta = choice.delta
        text = delta.content or delta.refusal
        if text:
            call.note_first_token()
            call.add_output(text)
        elif delta.tool_calls:
            call.note_first_token()
            _note_tools(delta.tool_calls, call)
        if choice.finish_reason:
            call.finish_reason = choice.finish_reason
    return False


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
    """OpenAI counts cached tokens within the prompt and reasoning within the completion already."""
    if usage is None:
        return
    call.input_tokens = usage.prompt_tokens
    call.output_tokens = usage.completion_tokens
    call.total_tokens = usage.total_tokens
    if usage.prompt_tokens_details is not None:
        call.cache_read_tokens = usage.prompt_tokens_details.cached_tokens
    if usage.completion_tokens_details is not None:
        call.reasoning_tokens = usage.completion_tokens_details.reasoning_tokens


def read_error(error: BaseException, call: Call) -> None:
    """Take code, HTTP status and request id from an openai error."""
    call.http_status = getattr(error, "status_code", None)
    call.provider_request_id = getattr(error, "request_id", None) or ""
    code = getattr(error, "code", None) or getattr(error, "type", None)
    call.error_code = str(code) if code else _code_by_class(error)
    call.error_message = getattr(error, "message", None) or error


def _code_by_class(error: BaseException) -> str:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "APITimeoutError" in kinds or "TimeoutError" in kinds:
        return "timeout"
    return "connection_error" if "APIConnectionError" in kinds else type(error).__name__
