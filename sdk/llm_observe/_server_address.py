"""Where a client calls: host and provider. Worked out once for each client."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from llm_observe._providers.hosts import find_provider

if TYPE_CHECKING:
    from llm_observe._call import Call
    from llm_observe._vendor import VendorClass, VendorObject

_KNOWN: Final = "_llm_observe_server_address"
"""Where a client keeps its base URL, that URL's host and the provider. A copy may get another URL."""


def note_server_address(owner: VendorObject, base_url: VendorObject, call: Call) -> None:
    """Record the host of a base URL, without user and port, and who serves there.

    ``owner`` keeps it for the next call. Gemini is Gemini on Vertex AI, too.
    """
    _, call.server_address, provider = find_server(owner, base_url)
    if provider and provider != "vertex":
        call.provider = provider


def find_server(owner: VendorObject, base_url: VendorObject) -> tuple[VendorObject, str, str]:
    """Return the base URL, its host, and who serves there; empty if it is the vendor of the client."""
    known: tuple[VendorObject, str, str] | None = owner.__dict__.get(_KNOWN)
    if known is None or known[0] is not base_url:
        host = _host_of(base_url)
        provider = find_provider(type(owner), host, _port_of(base_url))
        known = owner.__dict__[_KNOWN] = (base_url, host, provider)
    return known


def _host_of(base_url: VendorObject) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415 - loaded by the vendors' packages, not by ours

    try:
        return (urlsplit(str(base_url)).hostname or "").rstrip(".")  # a host may be written with a last dot
    except ValueError:  # not a URL
        return ""


def _port_of(base_url: VendorObject) -> int | None:
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    try:
        return urlsplit(str(base_url)).port
    except ValueError:  # not a URL
        return None


_REPORTING_HOSTS: Final = (
    ".openai.com",
    ".openai.azure.com",
    ".openai.azure.us",
    ".cognitiveservices.azure.com",
    ".services.ai.azure.com",
)


def reports_stream_usage(client: VendorObject, host: str) -> bool:
    """Return whether a server is known to take OpenAI's ``stream_options``: others may refuse the request."""
    client_class: VendorClass = type(client)
    return _is_reporting_host(host) or _is_azure(client_class)


@lru_cache(maxsize=256)
def _is_reporting_host(host: str) -> bool:
    return f".{host}".endswith(_REPORTING_HOSTS)


@lru_cache(maxsize=256)
def _is_azure(client_class: VendorClass) -> bool:
    """Return whether a client speaks Azure's protocol, perhaps through a gateway."""
    return any(base.__name__ in {"AzureOpenAI", "AsyncAzureOpenAI"} for base in client_class.__mro__)
