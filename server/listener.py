"""The port that the server listens on: gRPC options, address and TLS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import grpc
from llm_observe.channel import check_tls_files
from llm_observe.limits import MAX_BATCH_BYTES

if TYPE_CHECKING:
    from server.settings import ServerSettings

MAX_MESSAGE_BYTES: Final = 2 * MAX_BATCH_BYTES
"""Largest request, unpacked. Twice the contract's limit, so that a batch somewhat too large gets a rich
answer."""


class StartError(RuntimeError):
    """The server cannot start; the message names cause and fix."""

    @classmethod
    def port_taken(cls, host: str, port: int) -> Self:
        """Another process listens on the port, or the address is not one of this machine."""
        return cls(
            f"cannot listen on {host}:{port}: set LLM_OBSERVE_GRPC_PORT to a free port, or "
            "LLM_OBSERVE_GRPC_HOST to an address of this machine"
        )

    @classmethod
    def otlp_port_taken(cls, host: str, port: int) -> Self:
        """Likewise, of OTLP over HTTP."""
        return cls(
            f"cannot listen on {host}:{port} for OTLP over HTTP: set LLM_OBSERVE_OTLP_PORT to a free port, "
            "or LLM_OBSERVE_OTLP_HTTP=false to serve OTLP over gRPC alone"
        )


def grpc_options(settings: ServerSettings) -> list[tuple[str, int]]:
    """Return the gRPC channel arguments of a server."""
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.so_reuseport", int(settings.processes > 1)),
        ("grpc.max_concurrent_streams", settings.max_concurrent_calls),
        # Proxies and firewalls forget connections that are silent; clients may ping as often as ours do.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    if settings.max_connection_age_s:
        options += [
            ("grpc.max_connection_age_ms", int(settings.max_connection_age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", int(settings.chat_timeout_s * 1000)),
        ]
    return options


def bind(server: grpc.aio.Server, settings: ServerSettings) -> int:
    """Add the port to a server and return it: a free one where the settings say 0.

    Raises:
        StartError: The port is taken, or a TLS file cannot be read.
    """
    address = f"{settings.host}:{settings.port}"
    credentials = _credentials(settings) if settings.tls_cert_file else None
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError:
        raise StartError.port_taken(settings.host, settings.port) from None


def _credentials(settings: ServerSettings) -> grpc.ServerCredentials:
    certificate, key, client_ca = settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file
    try:
        check_tls_files(client_ca, certificate, key)
        key_and_certificate = Path(key).read_bytes(), Path(certificate).read_bytes()
        roots = Path(client_ca).read_bytes() if client_ca else None
    except OSError as error:
        raise StartError(f"cannot use the TLS file {error.filename}: {error.strerror}") from None
    return grpc.ssl_server_credentials(
        [key_and_certificate], root_certificates=roots, require_client_auth=roots is not None
    )
