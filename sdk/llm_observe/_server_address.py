"""The host name of the endpoint that a client calls. Worked out once for each client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject

_KNOWN: Final = "_llm_observe_server_address"
"""Where a client keeps its base URL and that URL's host. A copy may get another URL."""


def note_server_address(owner: VendorObject, base_url: VendorObject, call: Call) -> None:
    """Record the host of a base URL, without user and port; ``owner`` keeps it for the next call."""
    known = owner.__dict__.get(_KNOWN)
    if known is None or known[0] is not base_url:
        known = owner.__dict__[_KNOWN] = (base_url, _host_of(base_url))
    call.server_address = known[1]


def _host_of(base_url: VendorObject) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415 - loaded by the vendors' packages, not by ours

    try:
        return urlsplit(str(base_url)).hostname or ""
    except ValueError:  # not a URL
        return ""
