"""Anthropic: messages, complete and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe._call import Call
from llm_observe._guard import attempt
from llm_observe._providers.errors import read_error
from llm_observe._providers.openai import note_ids, note_input
from llm_observe._values import to_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorObject

__all__ = ["describe", "prepare", "read_chunk", "read_error", "read_response"]


def describe(options: VendorObject, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
    """Begin the Call of a request for a message."""
    body = options.json_data
    if options.url.split("?")[0] != "/v1/messages" or not isinstance(body, dict):
        return None
    call = Call("anthropic", "chat", body.get("model"), sink)
    call.streamed = stream
    attempt("describe", note_input, body, call)
    return call


def prepare(options: VendorObject, *, request_stream_usage: bool) -> tuple[VendorObject, bool]:
    """Return the options unchanged: Anthropic always reports usage."""
    del request_stream_usage
    return options, False


def read_response(response: VendorObject, call: Call) -> None:
    """Record text, usage and finish reason of a Message."""
    attempt("read_ids", note_ids, response, call)
    attempt("read_usage", _read_usage, response, call)
    attempt("read_content", _read_content, response, call)


def _read_content(response: VendorObject, call: Call) -> None:
    call.finish_reason = response.stop_reason or ""
    for block in response.content or ():
        attempt("read_block", _read_block, block, call)


def _read_block(block: VendorObject, call: Call) -> None:
    if block.type == "text":
        call.add_output(block.text)
    elif block.type == "tool_use":
        call.add_output(f"[tool call] {block.name} ")
        call.add_output(block.input)


def read_chunk(chunk: VendorObject, call: Call) -> bool:
    """Record a stream event."""
    kind = chunk.type
    if kind == "content_block_delta":
        delta = chunk.delta
        if delta.type == "text_delta":
            text = delta.text
        else:  # thinking is not part of the answer
            text = delta.partial_json if delta.type == "input_json_delta" else ""
        if text:
            call.note_first_token()
            call.add_output(text)
    elif kind == "message_start":
        attempt("read_ids", note_ids, chunk.message, call)
        attempt("read_usage", _read_usage, chunk.message, call)
    elif kind == "content_block_start" and chunk.content_block.type == "tool_use":
        call.note_first_token()
        call.add_output(f"[tool call] {chunk.content_block.name} ")
    elif kind == "message_delta":
        attempt("read_usage", _read_usage, chunk, call)
        call.finish_reason = chunk.delta.stop_reason or call.finish_reason
    return False


def _read_usage(message: VendorObject, call: Call) -> None:
    """Record usage. Anthropic's input tokens exclude cached ones; ours include them.

    A message_delta repeats the totals; for those that it omits, message_start's are kept.
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
    fields = usage.__dict__  # not getattr(), which is slow for a missing attribute of a model
    call.service_tier = fields.get("service_tier") or call.service_tier
    if (details := fields.get("output_tokens_details")) is not None:
        call.reasoning_tokens = getattr(details, "thinking_tokens", None) or call.reasoning_tokens
    if (lifetimes := fields.get("cache_creation")) is not None:
        call.cache_write_1h_tokens = getattr(lifetimes, "ephemeral_1h_input_tokens", None)
