"""Anthropic: messages, plain and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_observe._call import Call
from llm_observe._guard import attempt
from llm_observe._providers.errors import read_error
from llm_observe._providers.openai import note_ids, note_input
from llm_observe._values import to_count

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["describe", "prepare", "read_chunk", "read_error", "read_response"]


def describe(options: Any, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
    """Begin a Call for a message."""
    body = options.json_data
    if options.url.split("?")[0] != "/v1/messages" or not isinstance(body, dict):
        return None
    call = Call("anthropic", "chat", body.get("model"), sink)
    call.streamed = stream
    attempt("describe", note_input, body, call)
    return call


def prepare(options: Any, *, request_stream_usage: bool) -> tuple[Any, bool]:
    """Nothing to ask for: Anthropic always reports usage."""
    del request_stream_usage
    return options, False


def read_response(response: Any, call: Call) -> None:
    """Take text, usage and reasons from a Message."""
    attempt("read_ids", note_ids, response, call)
    attempt("read_usage", _read_usage, response, call)
    attempt("read_content", _read_content, response, call)


def _read_content(response: Any, call: Call) -> None:
    call.finish_reason = response.stop_reason or ""
    for block in response.content or ():
        attempt("read_block", _read_block, block, call)


def _read_block(block: Any, call: Call) -> None:
    if block.type == "text":
        call.add_output(block.text)
    elif block.type == "tool_use":
        call.add_output(f"[tool call] {block.name} ")
        call.add_output(block.input)


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
        _read_usage(chunk.message, call)
    elif kind == "content_block_start" and chunk.content_block.type == "tool_use":
        call.note_first_token()
        call.add_output(f"[tool call] {chunk.content_block.name} ")
    elif kind == "message_delta":
        attempt("read_usage", _read_usage, chunk, call)
        call.finish_reason = chunk.delta.stop_reason or call.finish_reason
    return False


def _read_usage(message: Any, call: Call) -> None:
    """Anthropic counts cached tokens beside the input; ours counts them within it.

    A message_delta tells totals again; what it leaves out is as message_start said.
    """
    usage = message.usage
    if usage is None:
        return
    read = to_count(getattr(usage, "cache_read_input_tokens", None))
    written = to_count(getattr(usage, "cache_creation_input_tokens", None))
    uncached = to_count(getattr(usage, "input_tokens", None))
    output = to_count(getattr(usage, "output_tokens", None))
    if uncached is not None:
        call.input_tokens = uncached + (read or 0) + (written or 0)
    call.cache_read_tokens = read if read is not None else call.cache_read_tokens
    call.cache_write_tokens = written if written is not None else call.cache_write_tokens
    call.output_tokens = output if output is not None else call.output_tokens
    if call.input_tokens is not None and call.output_tokens is not None:
        call.total_tokens = call.input_tokens + call.output_tokens
    details = usage.__dict__.get("output_tokens_details")
    call.reasoning_tokens = getattr(details, "thinking_tokens", None) or call.reasoning_tokens
