"""Reads what identifies an answer: its model, its ids, and what the HTTP headers say of its request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._providers.fields import attribute
from llm_observe._values import to_nano_usd, to_retry_count

if TYPE_CHECKING:
    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject

_RETRIES_HEADER: Final = "x-stainless-retry-count"
_REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid")
"""OpenAI's, Anthropic's, Azure's and Amazon's."""
_ENCODED_REQUEST_ID_HEADERS: Final = tuple(map(str.encode, _REQUEST_ID_HEADERS))
_COST_HEADER: Final = "x-litellm-response-cost"
_VENDORS: Final = frozenset({"api.openai.com", "api.anthropic.com"})
"""Hosts whose headers state no price."""


def note_ids(answer: VendorObject, call: Call) -> None:
    """Record the model, the answer's id, its tier, and the request id that the client keeps on it."""
    # The declared fields; not getattr(), which is slow for a missing attribute of a model.
    fields = answer.__dict__
    call.response_model = fields.get("model") or call.response_model
    call.provider_response_id = fields.get("id") or call.provider_response_id
    call.provider_request_id = fields.get("_request_id") or call.provider_request_id
    call.service_tier = fields.get("service_tier") or call.service_tier


def note_http(response: VendorObject, call: Call) -> None:
    """Record the request id of an HTTP response, and how often the client had tried before."""
    headers = attribute(response, "headers")
    if headers is not None:
        call.provider_request_id = _request_id_of(headers) or call.provider_request_id
        note_gateway(headers, call)
    if call.retry_count is None:
        note_retries(response, call)


def _request_id_of(headers: VendorObject) -> VendorObject:
    raw = getattr(headers, "raw", None)
    if type(raw) is not list:
        return next(filter(None, map(headers.get, _REQUEST_ID_HEADERS)), "")
    found: dict[bytes, bytes] = {}  # httpx looks slowly for each header
    for name, value in raw:
        key = name.lower()
        found[key] = found[key] + b", " + value if key in found else value  # as httpx joins them
    encoded = next(filter(None, map(found.get, _ENCODED_REQUEST_ID_HEADERS)), b"")
    encoding = "ascii" if encoded.isascii() else getattr(headers, "encoding", "latin-1")
    return encoded.decode(encoding, errors="replace")


def note_gateway(headers: VendorObject, call: Call) -> None:
    """Record what only a gateway's headers say: the price."""
    if call.server_address in _VENDORS or call.reported_cost_nano_usd is not None:
        return
    cost = headers.get(_COST_HEADER)
    if cost is not None:
        call.reported_cost_nano_usd = to_nano_usd(cost)


def note_retries(answer: VendorObject, call: Call) -> None:
    """Record how many attempts came before that of an error or a response: the request's header says so."""
    headers = attribute(attribute(answer, "request"), "headers")
    if headers is not None:
        call.retry_count = to_retry_count(headers.get(_RETRIES_HEADER))
