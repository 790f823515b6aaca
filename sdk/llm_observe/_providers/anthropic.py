"""Anthropic: messages, complete and streamed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe._call import Call
from llm_observe._extensions import message_text
from llm_observe._guard import attempt
from llm_observe._providers.errors import read_error, read_error_body
from llm_observe._providers.fields import body_of, to_plain_json, undeclared_of
from llm_observe._providers.ids import note_ids
from llm_observe._providers.openai import note_input
from llm_observe._providers.usage import read_anthropic
from llm_observe._providers.usual_answers import read_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorObject

__all__ = ["describe", "prepare", "read_chunk", "read_error", "read_response"]

_MESSAGES: Final = re.compile(r"(?:.*/)?v1/messages/?(?:\?.*)?")
"""The path of the endpoint, or a whole URL."""


def describe(options: VendorObject, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
    """Begin the Call of a request for a message."""
    if options.url != "/v1/messages" and not _MESSAGES.fullmatch(str(options.url)):
        return None
    body = body_of(options) if options.method.lower() == "post" else None
    if body is None:
        return None
    call = Call("anthropic", "chat", body.get("model"), sink)
    call.streamed = stream
    call.needs_end = True
    call.text_of = message_text
    attempt("describe", note_input, body, call)
    return call


def prepare(options: VendorObject, call: Call, *, request_stream_usage: bool) -> tuple[VendorObject, bool]:
    """Return the options unchanged: Anthropic always reports usage."""
    del call, request_stream_usage
    return options, False


def read_response(response: VendorObject, call: Call) -> None:
    """Record text, usage and finish reason of a Message, or the error that came instead."""
    if read_message(response, call):
        return
    if error := undeclared_of(response).get("error"):
        read_error_body(error, call)
        return
    attempt("read_ids", note_ids, response, call)
    attempt("read_usage", _read_usage, response, call)
    if not attempt("read_content", _read_content, response, call):
        call.needs_end = False  # whether the answer is complete is not known


def _read_content(response: VendorObject, call: Call) -> None:
    call.finish_reason = response.stop_reason or ""
    call.end_seen = bool(response.stop_reason or response.content)
    for block in response.content or ():
        attempt("read_block", _read_block, block, call)


def _read_block(block: VendorObject, call: Call) -> None:
    if block.type == "text":
        call.add_output(block.text)
    elif block.type == "tool_use":
        call.add_output(f"[tool call] {block.name} ")
        call.add_output(to_plain_json(block.input))


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
        call.end_seen = bool(call.finish_reason)
    elif kind == "message_stop":
        call.end_seen = True
    elif kind == "error":
        read_error_body(chunk.error, call)
    return False


def _read_usage(message: VendorObject, call: Call) -> None:
    if message.usage is not None:
        read_anthropic(message.usage, call)
