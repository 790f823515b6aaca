"""Records the requests of clients with a single request method."""

from __future__ import annotations

import functools
import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

from llm_observe._answers import fail_request, read_before_parser, settle
from llm_observe._batch_results import record_results
from llm_observe._guard import attempt, swallow
from llm_observe._response_headers import current, header_members
from llm_observe._runtime import get_runtime, submit
from llm_observe._server_address import find_server, reports_stream_usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._call import Call
    from llm_observe._providers import Provider
    from llm_observe._vendor import VendorClass, VendorObject

PROVIDER: Final = "_llm_observe_provider"
"""Where a stand-in keeps who serves the calls, if the application said so."""
_REQUEST_ARGUMENTS: Final = frozenset({"self", "cast_to", "options", "stream", "stream_cls"})


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
    return {"request": request, **header_members(client_class)}


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

        def with_own(*usual: object, **streamed: object) -> VendorObject:
            return client_class.request(*usual, *own, **streamed, **named)

        return make(SimpleNamespace(request=with_own))(self, cast_to, options, **streamed)

    @functools.wraps(client_class.request)
    async def arequest(*arguments: VendorObject, **named: object) -> VendorObject:
        return await request(*arguments, **named)

    return arequest if inspect.iscoroutinefunction(client_class.request) else request


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
                options = read_before_parser(reader, call, options)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow("describe", error)
    return call, options, hide


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
        outer = current.get()
        current.set(call)
        try:
            response = client_class.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
            current.set(outer)
            return settle(reader, call, response, hide=hide)
        except BaseException as error:
            current.set(outer)
            fail_request(reader, call, error)
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
        outer = current.get()
        current.set(call)
        try:
            response = await client_class.request(
                self, cast_to, options, stream=stream, stream_cls=stream_cls
            )
            current.set(outer)
            return settle(reader, call, response, hide=hide)
        except BaseException as error:
            current.set(outer)
            fail_request(reader, call, error)
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
