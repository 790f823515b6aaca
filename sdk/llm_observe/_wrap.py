"""Records clients with a single request method: timing, answers, streams and errors."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Final, TypeVar, cast

from llm_observe._call import SUCCESS
from llm_observe._guard import attempt, swallow
from llm_observe._providers import anthropic as anthropic_provider
from llm_observe._providers import openai as openai_provider
from llm_observe._providers.errors import note_retries
from llm_observe._response_body import cancel_when_closed
from llm_observe._runtime import get_runtime, submit
from llm_observe._server_address import note_server_address
from llm_observe._stand_in import observe, restore
from llm_observe._taps import StreamFinalizer, atap, fail, tap
from llm_observe._wrap_gemini import observe_gemini, restore_gemini

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._call import Call
    from llm_observe._providers import Provider
    from llm_observe._vendor import VendorClass, VendorObject

_Client = TypeVar("_Client")
_CLIENT_TYPES: Final[dict[tuple[str, str], Provider]] = {
    **{
        ("openai", f"{kind}{azure}OpenAI"): openai_provider
        for kind in ("", "Async")
        for azure in ("", "Azure")
    },
    **{("anthropic", f"{kind}Anthropic"): anthropic_provider for kind in ("", "Async")},
}
"""Package and class of every client with a single request method."""
_GEMINI_TYPES: Final = {("google", "Client"), ("google", "AsyncClient")}


def wrap_client(client: _Client) -> _Client:
    """Record a client's calls, once.

    Raises:
        TypeError: The client's type is not supported.
    """
    client_class = type(client)
    if _find_provider(client_class) is not None:
        observe(client, _client_members)
    elif _names(client_class) & _GEMINI_TYPES:
        observe_gemini(client)
    else:
        raise TypeError(f"llm_observe.wrap() does not support clients of type {client_class.__name__}")
    return client


def unwrap_client(client: _Client) -> _Client:
    """Stop recording a client's calls. A client that is not recorded is left alone."""
    if _names(type(client)) & _GEMINI_TYPES:
        restore_gemini(client)
    return restore(client)


def _names(client_class: type) -> set[tuple[str, str]]:
    return {(base.__module__.split(".")[0], base.__name__) for base in client_class.__mro__}


def _find_provider(client_class: type) -> Provider | None:
    return next((_CLIENT_TYPES[name] for name in _names(client_class) if name in _CLIENT_TYPES), None)


def _client_members(client_class: VendorClass) -> dict[str, object]:
    provider = cast("Provider", _find_provider(client_class))  # wrap_client() has found it
    asynchronous = inspect.iscoroutinefunction(client_class.request)
    return {"request": (_async_request if asynchronous else _sync_request)(client_class, provider)}


def _begin(
    provider: Provider, client: VendorObject, options: VendorObject, *, stream: bool
) -> tuple[Call | None, VendorObject, bool]:
    call, hide = None, False
    try:
        call = provider.describe(options, stream=stream, sink=submit)
        if call is not None:
            attempt("server_address", _note_server_address, client, call)
            if stream:
                request_stream_usage = get_runtime().config.request_stream_usage
                options, hide = provider.prepare(options, request_stream_usage=request_stream_usage)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow("describe", error)
    return call, options, hide


def _note_server_address(client: VendorObject, call: Call) -> None:
    base_url = client.__dict__.get("_base_url")  # OpenAI's property runs an import statement each time
    note_server_address(client, client.base_url if base_url is None else base_url, call)


def _sync_request(client_class: VendorClass, provider: Provider) -> Callable[..., VendorObject]:
    @functools.wraps(client_class.request)
    def request(
        self: VendorObject,
        cast_to: object,
        options: VendorObject,
        *,
        stream: bool = False,
        stream_cls: object = None,
    ) -> VendorObject:
        call, options, hide = _begin(provider, self, options, stream=stream)
        if call is None:
            return client_class.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        try:
            response = client_class.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        except BaseException as error:
            fail(provider, call, error)
            raise
        return _settle(provider, call, response, hide=hide)

    return request


def _async_request(client_class: VendorClass, provider: Provider) -> Callable[..., VendorObject]:
    @functools.wraps(client_class.request)
    async def request(
        self: VendorObject,
        cast_to: object,
        options: VendorObject,
        *,
        stream: bool = False,
        stream_cls: object = None,
    ) -> VendorObject:
        call, options, hide = _begin(provider, self, options, stream=stream)
        if call is None:
            return await client_class.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        try:
            response = await client_class.request(
                self, cast_to, options, stream=stream, stream_cls=stream_cls
            )
        except BaseException as error:
            fail(provider, call, error)
            raise
        return _settle(provider, call, response, hide=hide)

    return request


def _settle(provider: Provider, call: Call, response: VendorObject, *, hide: bool) -> VendorObject:
    """End the call of a complete answer, or tap its stream. Returns the same response object."""
    try:
        shape = _shape_of(_class_of(response))
        if shape == "whole":
            provider.read_response(response, call)
            call.finish()
        elif shape == "stream":
            _tap_stream(provider, call, response, hide=hide)
        else:
            _settle_raw(provider, call, response, hide=hide)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow("settle", error)
        call.finish()
    return response


@functools.cache
def _shape_of(response_class: VendorClass) -> str:
    """Return the kind of a response, from its class: hasattr() of an instance is slow for a missing field."""
    if hasattr(response_class, "__stream__"):
        return "stream"
    declared = {name for base in response_class.__mro__ for name in getattr(base, "__annotations__", ())}
    return "raw" if "http_response" in declared else "whole"


def _class_of(response: VendorObject) -> VendorClass:
    """Return the class of a response, typed so that mypy accepts it as a key of the cache."""
    return type(response)


def _tap_stream(provider: Provider, call: Call, stream: VendorObject, *, hide: bool) -> None:
    iterator = stream._iterator  # noqa: SLF001 - iterating a vendor's stream always reads it
    tap_method = atap if hasattr(iterator, "__anext__") else tap
    stream._iterator = tapped = tap_method(iterator, provider, call, hide=hide)  # noqa: SLF001 - as above
    response = getattr(stream, "response", None)
    cancel_when_closed(call, response, tapped)
    attempt("read_retries", note_retries, response, call)


def _settle_raw(provider: Provider, call: Call, raw: VendorObject, *, hide: bool) -> None:
    """Read a raw response when the application parses it.

    If its body has arrived already, it is parsed now; parse() caches, so the application pays only once.
    """
    call.retry_count = getattr(raw, "retries_taken", None)
    asynchronous = inspect.iscoroutinefunction(raw.parse)
    if not call.streamed and not asynchronous and raw.http_response.is_closed:
        provider.read_response(raw.parse(), call)
        call.finish()
        return
    raw._llm_observe_unread = _Unread(provider, call, hide=hide)  # noqa: SLF001 - ours
    observe(raw, _raw_members)


class _Unread:
    """The call of a raw response that has not been parsed. The response and its copies share it."""

    def __init__(self, provider: Provider, call: Call, *, hide: bool) -> None:
        self._settle = functools.partial(_settle, provider, call, hide=hide)
        self._finalizer: StreamFinalizer | None = StreamFinalizer(call, SUCCESS)

    def read(self, parsed: VendorObject) -> None:
        """Read the parsed response, once."""
        finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer.release()
            self._settle(parsed)


def _raw_members(raw_class: VendorClass) -> dict[str, object]:
    @functools.wraps(raw_class.parse)
    def parse(self: VendorObject, **options: object) -> VendorObject:
        return _read_once(self, raw_class.parse(self, **options))

    @functools.wraps(raw_class.parse)
    async def aparse(self: VendorObject, **options: object) -> VendorObject:
        return _read_once(self, await raw_class.parse(self, **options))

    return {"parse": aparse if inspect.iscoroutinefunction(raw_class.parse) else parse}


def _read_once(raw: VendorObject, parsed: VendorObject) -> VendorObject:
    unread = getattr(raw, "_llm_observe_unread", None)
    if unread is not None:
        unread.read(parsed)
    return parsed
