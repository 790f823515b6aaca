"""POST of JSON to webhooks: to checked addresses only, without redirects, within a time-out."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from typing import TYPE_CHECKING, Final

import httpcore2

from worker.notices.addresses import find_url_violation, resolve
from worker.notices.errors import NotDelivered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TIMEOUT_S: Final = 10.0
"""For all of a POST: name, connection, TLS, request and the answer's head."""
_HTTP_ERRORS: Final = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
    OSError,
    ssl.SSLError,
)


class CheckedBackend(httpcore2.AnyIOBackend):
    """Connects to an address that was checked, not to a name that may resolve to another one meanwhile.

    TLS still checks the certificate against the name.
    """

    def __init__(self, *, allow_private: bool) -> None:
        super().__init__()
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, check and connect.

        Raises:
            NotDelivered: The address is refused.
        """
        address = await resolve(host, port, allow_private=self._allow_private)
        return await super().connect_tcp(address, port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse.

        Raises:
            NotDelivered: Always.
        """
        del path, timeout, socket_options
        raise NotDelivered("the address is not one of the network")


async def post_json(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Send JSON. Every answer but 2xx is a failure, redirects too.

    Raises:
        NotDelivered: The receiver cannot be reached, or does not take it.
    """
    violation = find_url_violation(url, allow_private=allow_private)
    if violation:
        raise NotDelivered(f"the URL {violation}")
    try:
        async with asyncio.timeout(timeout_s):
            status = await _post(url, body, headers, CheckedBackend(allow_private=allow_private))
    except TimeoutError:
        raise NotDelivered(f"no answer within {timeout_s:g} s") from None
    except _HTTP_ERRORS as error:
        raise NotDelivered(f"the connection failed ({type(error).__name__})") from None
    if not 200 <= status < 300:  # noqa: PLR2004 - success in HTTP
        raise NotDelivered(f"the receiver answered {status}")


@cache
def tls_context() -> ssl.SSLContext:
    """Return what trusts the authorities of this machine, which takes a tenth of a second to read."""
    return httpcore2.default_ssl_context()


async def _post(url: str, body: bytes, headers: Mapping[str, str], backend: CheckedBackend) -> int:
    """Return the status. The answer's body, which may never end, is not read."""
    all_headers = {
        "Content-Type": "application/json",
        "User-Agent": "llm-observe",
        "Connection": "close",
        **headers,
    }
    tls = await asyncio.to_thread(tls_context)
    async with (
        httpcore2.AsyncConnectionPool(tls, network_backend=backend) as pool,
        pool.stream("POST", url, headers=list(all_headers.items()), content=body) as response,
    ):
        return response.status
