"""Opens gRPC channels to an LLM Observe server, with or without TLS and an API key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llm_observe._config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import grpc

    from llm_observe._vendor import VendorObject


def open_channel(
    endpoint: str,
    *,
    tls: bool = False,
    ca_file: str = "",
    cert_file: str = "",
    key_file: str = "",
    options: Sequence[tuple[str, int | str]] = (),
) -> grpc.Channel:
    """Return a channel; it connects at the first call.

    Args:
        endpoint: ``host:port``.
        tls: Encrypt, and check the server's certificate.
        ca_file: PEM file of the authorities that may have signed it; empty means gRPC's default.
        cert_file: PEM file of a client certificate, for mTLS.
        key_file: PEM file of its key.
        options: gRPC channel arguments.

    Raises:
        OSError: A file cannot be read.
    """
    import grpc  # noqa: PLC0415 - takes 80 ms, too long at import

    _let_greenlets_run()
    settings = [
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.enable_http_proxy", 0),
        # Proxies drop connections that are idle for about a minute.
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


def _let_greenlets_run() -> None:
    """Make gRPC wait in gevent's way where threads are greenlets: otherwise, it stops all of them."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        from grpc.experimental.gevent import init_gevent  # noqa: PLC0415 - needs gevent

        init_gevent()


def open_from_env(endpoint: str) -> grpc.Channel:
    """Return a channel with the TLS files and the API key of the ``LLM_OBSERVE_*`` variables.

    Args:
        endpoint: ``host:port``.

    Raises:
        ConfigError: A variable is invalid.
        OSError: A file cannot be read.
    """
    config = Config.from_env()
    return with_key(open_configured(config, endpoint), config.api_key)


def open_configured(config: Config, endpoint: str = "") -> grpc.Channel:
    """Return a channel with the TLS files of the SDK's settings; ``endpoint`` overrides theirs."""
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
    """Return a channel that sends the key with every call; without a key, the same channel."""
    if not api_key:
        return channel
    import grpc  # noqa: PLC0415 - as above

    def send_key(
        call: Callable[[VendorObject, object], VendorObject], details: VendorObject, request: object
    ) -> VendorObject:
        metadata = (*(details.metadata or ()), *bearer(api_key))
        return call(details._replace(metadata=metadata), request)

    class SendKey(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
        intercept_unary_unary = staticmethod(send_key)  # type: ignore[assignment] # a function is one
        intercept_unary_stream = staticmethod(send_key)  # type: ignore[assignment] # as above

    return grpc.intercept_channel(channel, SendKey())
