"""Records clients with a single request method: timing, answers, streams and errors."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Final, TypeVar, cast

from llm_observe._guard import attempt, swallow
from llm_observe._process_end import watch_sigterm
from llm_observe._providers import anthropic as anthropic_provider
from llm_observe._providers import openai as openai_provider
from llm_observe._providers.fields import answer_of, attribute
from llm_observe._providers.ids import note_http
from llm_observe._response_body import cancel_when_closed
from llm_observe._response_bytes import read_passing_bytes
from llm_observe._runtime import get_runtime, load_sender, submit
from llm_observe._server_address import note_server_address, reports_stream_usage
from llm_observe._stand_in import observe, restore
from llm_observe._taps import atap, fail, tap
from llm_observe._wrap_gemini import gemini_classes, observe_gemini, restore_gemini

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from llm_observe._call import Call
    from llm_observe._providers import Provider
    from llm_observe._stand_in import Members
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
_GEMINI_TYPES: Final = {("google.genai", "Client"), ("google.genai", "AsyncClient")}


def wrap_client(client: _Client) -> _Client:
    """Record a client's calls, once.

    Raises:
        TypeError: The client's type is not supported.
    """
    watch_sigterm()  # the first call may come from another thread, where that is not possible
    client_class = type(client)
    if _find_provider(client_class) is not None:
        observe(client, _client_members)
    elif _names(client_class) & _GEMINI_TYPES:
        observe_gemini(client)
    else:
        raise TypeError(f"llm_observe.wrap() does not support clients of type {client_class.__name__}")
    load_sender()
    return client


def unwrap_client(client: _Client) -> _Client:
    """Stop recording a client's calls. A client that is not recorded is left alone."""
    if _names(type(client)) & _GEMINI_TYPES:
        restore_gemini(client)
    return restore(client)


def recorded_classes(name: str, package: ModuleType) -> Iterator[tuple[VendorClass, Members]]:
    """Yield the classes of a vendor's package that make requests, and what overrides their methods."""
    if name == "google.genai":
        yield from gemini_classes(package)
    for owner, class_name in _CLIENT_TYPES:
        if owner == name and hasattr(package, class_name):
            yield getattr(package, class_name), _client_members


def _names(client_class: type) -> set[tuple[str, str]]:
    return {(_package_of(base), base.__name__) for base in client_class.__mro__}


def _package_of(base: type) -> str:
    """Return the package of a class; ``google`` is shared by many."""
    package, _, rest = base.__module__.partition(".")
    return f"{package}.{rest.partition('.')[0]}" if package == "google" else package


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
                ask = get_runtime().config.request_stream_usage
                if ask is None:
                    ask = reports_stream_usage(client, call.server_address)
                options, hide = provider.prepare(options, request_stream_usage=ask)
            elif getattr(options, "post_parser", None):
                options = _read_before_parser(provider, call, options)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow("describe", error)
    return call, options, hide


def _read_before_parser(provider: Provider, call: Call, options: VendorObject) -> VendorObject:
    """Return options whose parser first has the answer read: it may raise, and the answer is paid for."""
    parse = options.post_parser

    def read_and_parse(answer: VendorObject) -> VendorObject:
        attempt("read_response", provider.read_response, answer, call)
        return parse(answer)

    return options.model_copy(update={"post_parser": read_and_parse})


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
            attempt("read_paid_answer", _read_paid_answer, provider, call, error)
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
            attempt("read_paid_answer", _read_paid_answer, provider, call, error)
            fail(provider, call, error)
            raise
        return _settle(provider, call, response, hide=hide)

    return request


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
                provider.read_response(response, call)
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
        return
    _read_other(provider, call, response)


def _read_other(provider: Provider, call: Call, answer: VendorObject) -> None:
    """Read an answer that is no vendor's model, and of which nothing is known if it is no JSON object."""
    fields = answer_of(answer)
    if fields is not None:
        provider.read_response(fields, call)
    else:
        call.needs_end = False
    call.finish()
