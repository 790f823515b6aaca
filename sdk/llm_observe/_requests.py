"""Records the requests of clients with a single request method: timing, answers, streams and errors."""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

from llm_observe._batch_results import record_results
from llm_observe._guard import attempt, swallow
from llm_observe._providers.fields import answer_of, attribute, with_attributes
from llm_observe._providers.ids import note_gateway, note_http
from llm_observe._providers.openai_endpoints import MEDIA
from llm_observe._response_body import cancel_when_closed
from llm_observe._response_bytes import read_events, read_passing_bytes
from llm_observe._runtime import get_runtime, submit
from llm_observe._server_address import find_server, reports_stream_usage
from llm_observe._stream_ends import fail
from llm_observe._taps import atap, tap

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._call import Call
    from llm_observe._providers import Provider
    from llm_observe._vendor import VendorClass, VendorObject

PROVIDER: Final = "_llm_observe_provider"
"""Where a stand-in keeps who serves the calls, if the application said so."""
_PROCESS: Final = "_process_response"
"""The method with which a client turns an HTTP response into its answer, whatever that is."""
_PROCESS_ARGUMENTS: Final = frozenset(
    {"self", "cast_to", "options", "response", "stream", "stream_cls", "retries_taken"}
)
_REQUEST_ARGUMENTS: Final = frozenset({"self", "cast_to", "options", "stream", "stream_cls"})
_current: ContextVar[Call | None] = ContextVar("llm_observe_current_call", default=None)
"""The call whose request is being made."""


def request_members(client_class: VendorClass, reader: Provider, given: str) -> dict[str, object]:
    """Return the methods that record a client's requests.

    Args:
        client_class: The client's class.
        reader: Reads its requests and answers.
        given: Who serves the calls, if the application says so.
    """
    asynchronous = inspect.iscoroutinefunction(client_class.request)
    make = _async_request if asynchronous else _sync_request
    request = make(client_class, reader, given)
    if not set(inspect.signature(client_class.request).parameters) <= _REQUEST_ARGUMENTS:
        request = _passing_on(client_class, request, lambda bound: make(bound, reader, given))
    members: dict[str, object] = {"request": request}
    process = getattr(client_class, _PROCESS, None)
    if process is not None and set(inspect.signature(process).parameters) == _PROCESS_ARGUMENTS:
        members[_PROCESS] = _reading_headers(client_class)
    return members


def _passing_on(
    client_class: VendorClass,
    known: Callable[..., VendorObject],
    make: Callable[[VendorClass], Callable[..., VendorObject]],
) -> Callable[..., VendorObject]:
    """Return a method for a class whose own takes further arguments, which only this one pays for."""

    @functools.wraps(client_class.request)
    def request(
        self: VendorObject, cast_to: object, options: VendorObject, *own: object, **named: VendorObject
    ) -> VendorObject:
        streamed = {name: named.pop(name) for name in ("stream", "stream_cls") if name in named}
        if not own and not named:
            return known(self, cast_to, options, **streamed)

        @functools.wraps(client_class.request)
        def with_own(*usual: object, **streamed: object) -> VendorObject:
            return client_class.request(*usual, *own, **streamed, **named)

        return make(SimpleNamespace(request=with_own))(self, cast_to, options, **streamed)

    @functools.wraps(client_class.request)
    async def arequest(*arguments: VendorObject, **named: object) -> VendorObject:
        return await request(*arguments, **named)

    return arequest if inspect.iscoroutinefunction(client_class.request) else request


def _reading_headers(client_class: VendorClass) -> Callable[..., VendorObject]:
    """Return a method that records what only the HTTP response of a plain answer shows, then goes on."""
    process = getattr(client_class, _PROCESS)

    # The arguments by name: to collect and spread them would cost more than all the rest.
    @functools.wraps(process)
    def process_response(
        self: VendorObject,
        *,
        cast_to: VendorObject,
        options: VendorObject,
        response: VendorObject,
        stream: bool,
        stream_cls: VendorObject,
        retries_taken: int = 0,
    ) -> VendorObject:
        call = _current.get()
        if call is not None:
            _note_response(call, response, retries_taken)
        return process(
            self,
            cast_to=cast_to,
            options=options,
            response=response,
            stream=stream,
            stream_cls=stream_cls,
            retries_taken=retries_taken,
        )

    @functools.wraps(process)
    async def aprocess_response(
        self: VendorObject, *, response: VendorObject, retries_taken: int = 0, **options: VendorObject
    ) -> VendorObject:
        call = _current.get()
        if call is not None:
            _note_response(call, response, retries_taken)
        return await process(self, response=response, retries_taken=retries_taken, **options)

    return aprocess_response if inspect.iscoroutinefunction(process) else process_response


def _note_response(call: Call, response: VendorObject, retries_taken: int) -> None:
    if not call.background_id:  # not of the request that began it
        call.retry_count = retries_taken
    if call.kind == MEDIA:  # its answer may be text or bytes, on which the client keeps no request id
        attempt("read_headers", note_http, response, call)
    else:
        attempt("read_gateway", note_gateway, response.headers, call)


def _begin(
    reader: Provider, given: str, client: VendorObject, options: VendorObject, *, stream: bool
) -> tuple[Call | None, VendorObject, bool]:
    call, hide = None, False
    try:
        call = reader.describe(options, stream=stream, sink=submit)
        if call is not None:
            attempt("server_address", _note_server, client, given, call)
            if stream:
                ask = get_runtime().config.request_stream_usage
                if ask is None:
                    ask = reports_stream_usage(client, call.server_address)
                options, hide = reader.prepare(options, call, request_stream_usage=ask)
            elif getattr(options, "post_parser", None):
                options = _read_before_parser(reader, call, options)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow("describe", error)
    return call, options, hide


def _read_before_parser(provider: Provider, call: Call, options: VendorObject) -> VendorObject:
    """Return options whose parser first has the answer read: it may raise, and the answer is paid for.

    The parser of a raw response runs when the application asks for it, after the answer has been read.
    """
    parse = options.post_parser

    def read_and_parse(answer: VendorObject) -> VendorObject:
        if not call.finished:
            attempt("read_response", provider.read_response, answer, call)
        return parse(answer)

    return options.model_copy(update={"post_parser": read_and_parse})


def _note_server(client: VendorObject, given: str, call: Call) -> None:
    base_url = client.__dict__.get("_base_url")  # OpenAI's property runs an import statement each time
    _, call.server_address, provider = find_server(client, client.base_url if base_url is None else base_url)
    if given or provider:
        call.provider = given or provider


def locate(client: VendorObject, call: Call) -> None:
    """Record where a client calls."""
    _note_server(client, getattr(client, PROVIDER, ""), call)


def _sync_request(client_class: VendorClass, reader: Provider, given: str) -> Callable[..., VendorObject]:
    @functools.wraps(client_class.request)
    def request(
        self: VendorObject,
        cast_to: object,
        options: VendorObject,
        *,
        stream: bool = False,
        stream_cls: object = None,
    ) -> VendorObject:
        call, options, hide = _begin(reader, given, self, options, stream=stream)
        if call is None:
            response = client_class.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
            return _read_results(reader, given, self, options, response)
        outer = _current.get()
        _current.set(call)
        try:
            response = client_class.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
            _current.set(outer)
            return _settle(reader, call, response, hide=hide)
        except BaseException as error:
            _current.set(outer)
            _fail(reader, call, error)
            raise

    return request


def _async_request(client_class: VendorClass, reader: Provider, given: str) -> Callable[..., VendorObject]:
    @functools.wraps(client_class.request)
    async def request(
        self: VendorObject,
        cast_to: object,
        options: VendorObject,
        *,
        stream: bool = False,
        stream_cls: object = None,
    ) -> VendorObject:
        call, options, hide = _begin(reader, given, self, options, stream=stream)
        if call is None:
            response = await client_class.request(
                self, cast_to, options, stream=stream, stream_cls=stream_cls
            )
            return _read_results(reader, given, self, options, response)
        outer = _current.get()
        _current.set(call)
        try:
            response = await client_class.request(
                self, cast_to, options, stream=stream, stream_cls=stream_cls
            )
            _current.set(outer)
            return _settle(reader, call, response, hide=hide)
        except BaseException as error:
            _current.set(outer)
            _fail(reader, call, error)
            raise

    return request


def _read_results(
    reader: Provider, given: str, client: VendorObject, options: VendorObject, answer: VendorObject
) -> VendorObject:
    """Record the results of a batch, if the request was for them. Returns the same answer."""

    def locate(call: Call) -> None:
        _note_server(client, given, call)

    attempt("read_results", record_results, reader, answer, options.url, locate)
    return answer


def _fail(provider: Provider, call: Call, error: BaseException) -> None:
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


def _settle(provider: Provider, call: Call, response: VendorObject, *, hide: bool) -> VendorObject:
    """End the call of a complete answer, or tap its stream. Returns the same response object."""
    try:
        shape = _shape_of(_class_of(response))
        if shape == "model":
            if not call.end_seen:  # read already, before a parser
                provider.read_response(with_attributes(response), call)
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
    return "model" if "model_fields" in dir(response_class) else "other"


def _class_of(response: VendorObject) -> VendorClass:
    """Return the class of a response, typed so that mypy accepts it as a key of the cache."""
    return type(response)


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
