"""Opens gRPC channels to an LLM Observe server, with or without TLS and an API key."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from llm_observe._config import Config, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import grpc

    from llm_observe._vendor import VendorObject

_TLS_PROBLEMS: Final = {
    "certificate has expired": "the server's certificate has expired",
    "certificate is not yet valid": "the server's certificate is not valid yet",
    "CERTIFICATE_VERIFY_FAILED": "no authority that is trusted here has signed the server's certificate: "
    "see LLM_OBSERVE_TLS_CA_FILE",
    "Hostname Verification": "the server's certificate is for another host name",
    "WRONG_VERSION_NUMBER": "the server does not speak TLS, which LLM_OBSERVE_TLS asks for",
    "Socket closed": "the server closed the connection: it may require TLS (LLM_OBSERVE_TLS) or a client's "
    "certificate that it trusts (LLM_OBSERVE_TLS_CERT_FILE)",
}
"""What gRPC says of a connection that could not be made, and what it means; the first that fits counts."""


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
        ConfigError: A certificate comes without its key, or a key without its certificate.
        OSError: A file cannot be read, or does not hold what it should.
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
    check_tls_files(ca_file, cert_file, key_file)
    root, certificate, key = (
        Path(name).read_bytes() if name else None for name in (ca_file, cert_file, key_file)
    )
    credentials = grpc.ssl_channel_credentials(root, key, certificate)
    return grpc.secure_channel(endpoint, credentials, options=settings)


def check_tls_files(ca_file: str, cert_file: str, key_file: str) -> None:
    """Check TLS files; an empty name is no file.

    gRPC itself ends the process where a key is missing, and tries for ever with a wrong one.

    Raises:
        ConfigError: A certificate comes without its key, or a key without its certificate.
        OSError: A file cannot be read, or does not hold what it should.
    """
    import ssl  # noqa: PLC0415 - takes a while, and most channels need none

    if bool(cert_file) != bool(key_file):
        raise ConfigError("a TLS certificate and its key must be given together")
    for name in filter(None, (ca_file, cert_file, key_file)):
        Path(name).open("rb").close()  # whose error names the file, as ssl's does not
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
    except ssl.SSLError:
        raise OSError(errno.EINVAL, "it holds no certificate in PEM", ca_file) from None
    try:
        if cert_file:
            context.load_cert_chain(cert_file, key_file, password="")  # or it asks for one on the terminal
    except (ssl.SSLError, ValueError):
        problem = f"with {key_file}, it is no certificate with its key in PEM, without a password"
        raise OSError(errno.EINVAL, problem, cert_file) from None


def connection_problem(error: grpc.RpcError) -> str:
    """Return why a call could not reach its server, where that is a matter of TLS; else ''."""
    details = str(getattr(error, "details", str)() or "")
    if "failed to connect" not in details:
        return ""
    return next((meaning for said, meaning in _TLS_PROBLEMS.items() if said in details), "")


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
