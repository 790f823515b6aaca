"""Turns a URL into a connection pool: of one Redis, or of the master that sentinels name."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

_SENTINEL_PORT: Final = 26379
_SENTINEL_SCHEMES: Final = {"redis+sentinel": False, "rediss+sentinel": True}
"""Scheme to whether it means TLS."""
_TLS_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""Parameters of URLs, under the driver's own names."""
_PLAIN_SCHEMES: Final = ("redis", "rediss", "unix")


class _SentinelUrl(NamedTuple):
    """A parsed sentinel URL."""

    sentinels: list[tuple[str, int]]
    service: str
    sentinel_options: dict[str, Any]
    options: dict[str, Any]


def check_url(url: str) -> None:
    """Check that a URL can be used.

    Raises:
        ValueError: It cannot. The message does not quote the URL, which may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme in _SENTINEL_SCHEMES:
        _read_sentinel_url(parts)
    elif parts.scheme not in _PLAIN_SCHEMES:
        raise ValueError("must begin with redis://, rediss://, unix:// or redis+sentinel://")


def make_pool(url: str, *, max_connections: int, **options: Any) -> ConnectionPool:
    """Return connections to ``redis://...``, or to the master of
    ``redis+sentinel://[user:password@]host[:port][,host[:port]...]/service[/db][?sentinel_password=...]``.

    When all connections are in use, a borrower of a single Redis' pool waits; behind sentinels it is refused.

    Raises:
        ValueError: See check_url.
    """  # noqa: D205 - the format is the summary
    parts = urlsplit(url)
    if parts.scheme not in _SENTINEL_SCHEMES:
        return BlockingConnectionPool.from_url(url, max_connections=max_connections, **options)
    parsed = _read_sentinel_url(parts)
    options.pop("timeout", None)  # only the blocking pool has one
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call] # redis-py leaves it so
        parsed.sentinels, sentinel_kwargs={**options, **parsed.sentinel_options}
    )
    return SentinelConnectionPool(  # type: ignore[no-untyped-call] # as above
        parsed.service, sentinel, max_connections=max_connections, **parsed.options, **options
    )


def _read_sentinel_url(parts: SplitResult) -> _SentinelUrl:
    credentials, _, hosts = parts.netloc.rpartition("@")
    sentinels = [_read_host(host) for host in hosts.split(",") if host]
    service, _, database = parts.path.strip("/").partition("/")
    if not sentinels or not service or not (database or "0").isdigit():
        raise ValueError("must be redis+sentinel://[user:password@]host:port[,host:port...]/service[/db]")
    user, _, password = credentials.partition(":")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    files: dict[str, Any] = {name: query[name] for name in _TLS_FILES if name in query}
    tls: dict[str, Any] = {"ssl": True, **files} if _SENTINEL_SCHEMES[parts.scheme] else {}
    options: dict[str, Any] = {"db": int(database or "0"), **tls}
    if password:
        options |= {"username": unquote(user) or None, "password": unquote(password)}
    password = query.get("sentinel_password", "")
    return _SentinelUrl(sentinels, service, {"password": password, **tls} if password else tls, options)


def _read_host(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if ":" in text else (text, "", str(_SENTINEL_PORT))
    if not host or not port.isdigit():
        raise ValueError("a sentinel must be host:port")
    return host.strip("[]"), int(port)
