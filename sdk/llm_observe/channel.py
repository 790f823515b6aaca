"""Opens gRPC channels to an LLM Observe server, with or without TLS and an API key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_observe._config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc


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


def open_from_env(endpoint: str) -> grpc.Channel:
    """Return a channel with the TLS files and the API key that ``LLM_OBSERVE_*`` variables name.

    Args:
        endpoint: ``host:port``.

    Raises:
        ConfigError: A variable is wrong.
        OSError: A file cannot be read.
    """
    config = Config.from_env()
    return with_key(open_configured(config, endpoint), config.api_key)


def open_configured(config: Config, endpoint: str = "") -> grpc.Channel:
    """Return a channel with the TLS files of the SDK's settings, to their endpoint or another."""
    return open_channel(
        endpoint or config.endpoint,
        tls=config.tls,
        ca_file=config.tls_ca_file,
        cert_file=config.tls_cert_file,
        key_file=config.tls_key_file,
    )


def bearer(api_key: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that authenticates a call; empty without a key."""
    return (("authorization", f"Bearer {api_key}"),) if api_key else ()


def with_key(channel: grpc.Channel, api_key: str) -> grpc.Channel:
    """Return a channel that sends the key with every call; the same one without a key."""
    if not api_key:
        return channel
    import grpc  # noqa: PLC0415 - as above

    def send_key(call: Any, details: Any, request: Any) -> Any:
        metadata = (*(details.metadata or ()), *bearer(api_key))
        return call(details._replace(metadata=metadata), request)

    class SendKey(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
        intercept_unary_unary = staticmethod(send_key)  # type: ignore[assignment] # a function is one
        intercept_unary_stream = staticmethod(send_key)  # type: ignore[assignment] # as above

    return grpc.intercept_channel(channel, SendKey())
