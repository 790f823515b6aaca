"""Opens channels to a server, with or without TLS; the dashboard and the command line use it, too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

    from llm_observe._config import Config


def open_channel(
    endpoint: str,
    *,
    tls: bool = False,
    ca_file: str = "",
    cert_file: str = "",
    key_file: str = "",
    options: Sequence[tuple[str, int | str]] = (),
) -> grpc.Channel:
    """Return a channel, made without connecting.

    Args:
        endpoint: ``host:port``.
        tls: Encrypt, and check the server's certificate.
        ca_file: PEM of who may have signed it; empty means the authorities that gRPC knows.
        cert_file: PEM of our own certificate, for servers that want one.
        key_file: PEM of its key.
        options: gRPC channel arguments.

    Raises:
        OSError: A file cannot be read.
    """
    import grpc  # noqa: PLC0415 - 80 ms that no application should pay at import

    settings = [
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.enable_http_proxy", 0),
        # Proxies forget connections that are silent for longer than a minute or so.
        ("grpc.keepalive_time_ms", 60_000),
        *(options or (("grpc.max_reconnect_backoff_ms", 5_000),)),
    ]
    if not tls:
        return grpc.insecure_channel(endpoint, options=settings)
    root, certificate, key = (
        Path(name).read_bytes() if name else None for name in (ca_file, cert_file, key_file)
    )
    credentials = grpc.ssl_channel_credentials(root, key, certificate)
    return grpc.secure_channel(endpoint, credentials, options=settings)


def open_configured(config: Config, endpoint: str = "") -> grpc.Channel:
    """Return a channel as the SDK's settings say, to their endpoint or another; see open_channel."""
    return open_channel(
        endpoint or config.endpoint,
        tls=config.tls,
        ca_file=config.tls_ca_file,
        cert_file=config.tls_cert_file,
        key_file=config.tls_key_file,
    )


def bearer(api_key: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that proves who calls; empty without a key."""
    return (("authorization", f"Bearer {api_key}"),) if api_key else ()


def with_key(channel: grpc.Channel, api_key: str) -> grpc.Channel:
    """Return a channel that proves who calls with every call; the same one without a key."""
    if not api_key:
        return channel
    import grpc  # noqa: PLC0415 - as above

    def prove(go_on: Any, details: Any, request: Any) -> Any:
        proven = (*(details.metadata or ()), *bearer(api_key))
        return go_on(details._replace(metadata=proven), request)

    class Prove(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
        intercept_unary_unary = staticmethod(prove)  # type: ignore[assignment] # a function is one
        intercept_unary_stream = staticmethod(prove)  # type: ignore[assignment] # as above

    return grpc.intercept_channel(channel, Prove())
