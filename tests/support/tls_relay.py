"""Puts TLS before a server that has none, as Postgres and Redis do it."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import closing, suppress

from tests.support.relay import Relay

_SSL_REQUEST_BYTES = 8


class TlsRelay(Relay):
    """Decrypts connections.

    Args:
        host: The server's.
        port: The server's.
        context: Certificate and key, and whether clients need a certificate.
        on_request: Whether a client asks for TLS first, as Postgres' protocol has it.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext, *, on_request: bool = False) -> None:
        super().__init__(host, port)
        self._context = context
        self._on_request = on_request

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._on_request:
                await reader.readexactly(_SSL_REQUEST_BYTES)
                writer.write(b"S")
            await writer.start_tls(self._context)
        except (OSError, asyncio.IncompleteReadError):
            with suppress(OSError), closing(writer):
                return
        await super()._accept(reader, writer)


def server_context(pair: tuple[str, str], client_ca: str = "") -> ssl.SSLContext:
    """Return the context of a server with a certificate and its key, whose clients perhaps need one, too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
