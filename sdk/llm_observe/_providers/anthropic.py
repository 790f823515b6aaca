"""Anthropic: messages, plain and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_observe._call import Call
from llm_observe._providers.errors import read_error
from llm_observe._providers.openai import input_text, note_request_id

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["describe", "prepare", "read_chunk", "read_error", "read_response"]


def describe(options: Any, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
    """Begin a Call for a message."""
    body = options.json_data
    if options.url.split("?")[0] != "/v1/messages" or not isinstance(body, dict):
        return None
    call = Call("anthropic", "chat", str(body.get("model", "")), sink)
    call.streamed = stream
    call.input_text = input_text(body)
    return call


def prepare(options: Any, *, request_stream_usage: bool) -> tuple[Any, bool]:
    """Nothing to ask for: Anthropic always reports usage."""
    del request_stream_usage
    return options, False


def read_response(response: Any, call: Call) -> None:
    """Take text, usage and reasons from a Message."""
    call.response_model = response.model or ""
    note_request_id(response, call)
    call.finish_reason = response.stop_reason or ""
    _read_usage(response.usage, call)
    for block in response.content or ():
        _read_block(block, call)


def _read_block(block: Any, call: Call) -> None:
    if block.type == "text":
        call.add_output(block.text)
    elif block.type == "tool_use":
        call.add_output(f"[tool call] {block.name} {block.input}")


def read_chunk(chunk: Any, call: Call) -> bool:
    """Take what a stream event tells."""
    kind = chunk.type
    if kind == "content_block_delta":
        delta = chunk.delta
        if delta.type == "text_delta":
            piece = delta.text
        else:  # thinking is no answer yet
            piece = delta.partial_json if delta.type == "input_json_delta" else ""
        if piece:
            call.note_first_token()
            call.add_output(piece)
    elif kind == "message_start":
        call.response_model = chunk.message.model or ""
        _read_usage(chunk.message.usage, call)
    elif kind == "content_block_start" and chunk.content_block.type == "tool_use":
        call.note_first_token()
        call.add_output(f"[tool call] {chunk.content_block.name} ")
    elif kind == "message_delta":
        call.finish_reason = chunk.delta.stop_reason or call.finish_reason
        _read_usage(chunk.usage, call)
    return False


def _read_usage(usage: Any, call: Call) -> None:
    """Anthropic counts cached tokens beside the input; ours counts them within it.

    A message_delta tells totals again; what it leaves out is as message_start said.
    """
    if usage is None:
        return
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    if usage.input_tokens is not None:
        call.input_tokens = usage.input_tokens + (read or 0) + (written or 0)
    call.cache_read_tokens = read if read is not None else call.cache_read_tokens
    call.cache_write_tokens = written if written is not None else call.cache_write_tokens
    call.output_tokens = usage.output_tokens
    details = usage.__dict__.get("output_tokens_details")
    call.reasoning_tokens = getattr(details, "thinking_tokens", None) or call.reasoning_tokens
    if call.input_tokens is not None and call.output_tokens is not None:
        call.total_tokens = call.input_tokens + call.output_tokens
