"""Records the results of batches when the application reads them: one log for each.

The id of such a log comes from the batch and the request in it, so that reading the results again changes
nothing. When a result was made is known where the answer says so; how long it took is not.
"""

from __future__ import annotations

import re
import threading
import uuid
from contextvars import copy_context
from typing import TYPE_CHECKING, Final

from llm_observe._call import CANCELLED, ERROR, SUCCESS, Call
from llm_observe._guard import attempt
from llm_observe._providers.errors import read_error_body
from llm_observe._providers.fields import attribute, fields_of, parse_json_object
from llm_observe._runtime import submit
from llm_observe._values import to_count, to_http_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from llm_observe._providers import Provider
    from llm_observe._vendor import VendorObject

    Locate = Callable[[Call], None]
    """Notes on a Call where its client calls."""

_TIER: Final = "batch"
_NAMESPACE: Final = uuid.UUID("6f0e7a52-2a0f-4d5a-9a57-6c1e1d0f6b3c")
_FILE: Final = re.compile(r"/files/[^/?]+/content")
_RESULTS: Final = re.compile(r"/messages/batches/([^/?]+)/results")
_MAX_BYTES_HERE: Final = 256 * 1024
"""Longest file that is read on the application's thread."""
_NS_PER_S: Final = 1_000_000_000
_KINDS: Final = {
    "chat.completion": ("chat", "chat"),
    "response": ("chat", "response"),
    "text_completion": ("text_completion", "text"),
    "list": ("embeddings", "embeddings"),
}
"""What an answer in one of OpenAI's files says it is: the operation in the log, and the kind of endpoint."""


def record_results(reader: Provider, answer: VendorObject, url: str, locate: Locate) -> None:
    """Record the results in an answer, if the request was for the results of a batch."""
    if match := _RESULTS.search(url):
        _tap_decoder(reader, answer, match.group(1), locate)
    elif _FILE.fullmatch(url):
        content = attribute(answer, "content")
        if isinstance(content, bytes):
            read_lines(content, lambda line: _read_openai(reader, line, locate))


def read_lines(content: bytes, read: Callable[[bytes], None]) -> None:
    """Read a file of results: here if it is short, else in a thread, for which the process waits."""
    if len(content) <= _MAX_BYTES_HERE:
        _read_lines(content, read)
    else:
        run = copy_context().run  # the session in force
        threading.Thread(target=run, args=(_read_lines, content, read), name="llm-observe-results").start()


def _read_lines(content: bytes, read: Callable[[bytes], None]) -> None:
    if content[:1] == b"{":
        for line in content.splitlines():
            attempt("read_result", read, line)


def end_result(call: Call, key: str, outcome: int = SUCCESS) -> None:
    """End the call of a result. ``key`` identifies it among all results."""
    call.log_id = str(uuid.uuid5(_NAMESPACE, key))
    call.service_tier = _TIER
    call.needs_end = False
    call.background_id = ""
    call.sink = _submit_without_latency
    call.finish(outcome)


def _submit_without_latency(call: Call) -> None:
    call.latency_ns = None
    submit(call)


def _read_openai(reader: Provider, line: bytes, locate: Locate) -> None:
    """Record a line of a file, if it is a result: other files have lines as well."""
    entry = parse_json_object(line)
    if entry is None or entry.custom_id is None:
        return
    answer = fields_of(entry.response)
    body = answer.get("body")
    fields = fields_of(body)
    operation, kind = _KINDS.get(fields.get("object", ""), ("moderation", "media"))
    call = Call("openai", operation, fields.get("model"), submit)
    call.kind = kind
    locate(call)
    created = to_count(fields.get("created", fields.get("created_at")))
    if created is not None:
        call.start_ns = created * _NS_PER_S
    error = fields.get("error") if kind == "media" else None
    error = error or entry.error
    if error is not None:
        call.http_status = to_http_status(answer.get("status_code"))
        read_error_body(error, call)
    elif body is not None:
        reader.read_response(body, call)
    end_result(call, f"openai {entry.id or entry.custom_id}", ERROR if error is not None else SUCCESS)


def _tap_decoder(reader: Provider, decoder: VendorObject, batch_id: str, locate: Locate) -> None:
    """Have an Anthropic client's decoder of results record what it hands on."""
    lines = decoder._iterator  # noqa: SLF001 - iterating the decoder always reads it
    pass_on = _apass if hasattr(lines, "__anext__") else _pass

    def read(entry: VendorObject) -> None:
        _read_anthropic(reader, entry, batch_id, locate)

    decoder._iterator = pass_on(lines, read)  # noqa: SLF001 - as above


def _pass(lines: Iterator[VendorObject], read: Callable[[VendorObject], None]) -> Iterator[VendorObject]:
    for line in lines:
        attempt("read_result", read, line)
        yield line


async def _apass(
    lines: AsyncIterator[VendorObject], read: Callable[[VendorObject], None]
) -> AsyncIterator[VendorObject]:
    async for line in lines:
        attempt("read_result", read, line)
        yield line


def _read_anthropic(reader: Provider, entry: VendorObject, batch_id: str, locate: Locate) -> None:
    result, outcome = entry.result, SUCCESS
    message = attribute(result, "message")
    call = Call("anthropic", "chat", attribute(message, "model"), submit)
    locate(call)
    if message is not None:
        reader.read_response(message, call)
    elif result.type == "canceled":
        outcome = CANCELLED
    else:  # errored, or expired
        error = attribute(attribute(result, "error"), "error")
        read_error_body(error if error is not None else {"code": result.type}, call)
        outcome = ERROR
    end_result(call, f"anthropic {batch_id} {entry.custom_id}", outcome)
