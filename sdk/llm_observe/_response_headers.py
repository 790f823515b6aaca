"""Records what only the HTTP response of a plain answer shows: retries, ids, the price of a gateway."""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from llm_observe._guard import attempt
from llm_observe._providers.ids import note_gateway, note_http
from llm_observe._providers.openai_endpoints import MEDIA

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._call import Call
    from llm_observe._vendor import VendorClass, VendorObject

_PROCESS: Final = "_process_response"
"""The method with which a client turns an HTTP response into its answer, whatever that is."""
_PROCESS_ARGUMENTS: Final = frozenset(
    {"self", "cast_to", "options", "response", "stream", "stream_cls", "retries_taken"}
)
current: ContextVar[Call | None] = ContextVar("llm_observe_current_call", default=None)
"""The call whose request is being made."""


def header_members(client_class: VendorClass) -> dict[str, object]:
    """Return the method that records a client's responses; none if the client has no such method."""
    process = getattr(client_class, _PROCESS, None)
    if process is None or set(inspect.signature(process).parameters) != _PROCESS_ARGUMENTS:
        return {}
    return {_PROCESS: _reading_headers(process)}


def _reading_headers(process: Callable[..., VendorObject]) -> Callable[..., VendorObject]:
    """Return a method that has the response noted, then does what ``process`` does."""

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
        call = current.get()
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
        call = current.get()
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
