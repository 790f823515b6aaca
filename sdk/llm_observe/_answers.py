"""Ends the call of a request by what its client returned or raised."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from llm_observe._guard import attempt, swallow
from llm_observe._providers.fields import answer_of, attribute, is_own, with_attributes
from llm_observe._providers.ids import note_http
from llm_observe._response_body import cancel_when_closed
from llm_observe._response_bytes import read_events, read_passing_bytes
from llm_observe._stream_ends import fail
from llm_observe._taps import atap, tap

if TYPE_CHECKING:
    from llm_observe._call import Call
    from llm_observe._providers import Provider
    from llm_observe._vendor import VendorClass, VendorObject


def read_before_parser(provider: Provider, call: Call, options: VendorObject) -> VendorObject:
    """Return options whose parser first has the answer read: it may raise, and the answer is paid for.

    The parser of a raw response runs when the application asks for it, after the answer has been read.
    """
    parse = options.post_parser

    def read_and_parse(answer: VendorObject) -> VendorObject:
        if not call.finished:
            attempt("read_response", provider.read_response, answer, call)
        return parse(answer)

    return options.model_copy(update={"post_parser": read_and_parse})


def settle(provider: Provider, call: Call, response: VendorObject, *, hide: bool) -> VendorObject:
    """End the call of a complete answer, or tap its stream. Returns the same response object."""
    try:
        response_class: VendorClass = type(response)  # typed, or mypy would not take it as a key of the cache
        shape = _shape_of(response_class)
        if shape in {"model", "own model"}:
            if not call.end_seen:  # read already, before a parser
                provider.read_response(response if shape == "model" else with_attributes(response), call)
            call.finish()
        elif shape == "stream":
            _tap_stream(provider, call, response, hide=hide)
        elif shape == "raw":
            call.retry_count = getattr(response, "retries_taken", None)
            _read_http(provider, call, response.http_response)
        else:
            _read_other(provider, call, response)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow("settle", error)
        call.needs_end = False
        call.finish()
    return response


@functools.cache
def _shape_of(response_class: VendorClass) -> str:
    """Return the kind of a response, from its class: hasattr() of an instance is slow for a missing field."""
    if hasattr(response_class, "__stream__"):
        return "stream"
    declared = {name for base in response_class.__mro__ for name in getattr(base, "__annotations__", ())}
    if "http_response" in declared:
        return "raw"
    if "model_fields" not in dir(response_class):
        return "other"
    return "own model" if is_own(response_class) else "model"


def _tap_stream(provider: Provider, call: Call, stream: VendorObject, *, hide: bool) -> None:
    iterator = stream._iterator  # noqa: SLF001 - iterating a vendor's stream always reads it
    tap_method = atap if hasattr(iterator, "__anext__") else tap
    stream._iterator = tapped = tap_method(iterator, provider, call, hide=hide)  # noqa: SLF001 - as above
    response = getattr(stream, "response", None)
    cancel_when_closed(call, response, tapped)
    attempt("read_headers", note_http, response, call)


def _read_http(provider: Provider, call: Call, response: VendorObject) -> None:
    """Read an HTTP response now, or its bytes as the application reads them."""
    attempt("read_headers", note_http, response, call)
    if not getattr(response, "is_closed", True):
        read_passing_bytes(provider, call, response)
    elif call.streamed and isinstance(content := attribute(response, "content"), bytes):
        read_events(provider, call, content)
    else:
        _read_other(provider, call, response)


def _read_other(provider: Provider, call: Call, answer: VendorObject) -> None:
    """Read an answer that is no vendor's model, and of which nothing is known if it is no JSON object."""
    fields = answer_of(answer)
    if fields is not None:
        provider.read_response(fields, call)
    else:
        call.needs_end = False
    call.finish()


def fail_request(provider: Provider, call: Call, error: BaseException) -> None:
    """End a call that raised an error, or that was interrupted after it."""
    try:
        attempt("read_paid_answer", _read_paid_answer, provider, call, error)
    finally:
        fail(provider, call, error)


def _read_paid_answer(provider: Provider, call: Call, error: BaseException) -> None:
    """Read the answer behind an error that the client raised although the server had answered."""
    response = attribute(error, "response")
    if not call.end_seen and attribute(response, "is_success") and attribute(response, "is_closed"):
        answer = answer_of(response)
        if answer is not None:
            provider.read_response(answer, call)
