"""The port of OTLP over HTTP: a server of uvicorn on the event loop of the gRPC server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from server.listener import StartError

if TYPE_CHECKING:
    from collections.abc import Generator

    from starlette.applications import Starlette

    from server.settings import ServerSettings

_BACKLOG: Final = 2_048
_KEEP_ALIVE_S: Final = 75
_STARTED_POLL_S: Final = 0.01


class OtlpHttpServer:
    """Serves OTLP over HTTP from start() to stop()."""

    def __init__(self, app: Starlette, settings: ServerSettings) -> None:
        self._settings = settings
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                http="h11",
                ws="none",
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                limit_concurrency=settings.max_concurrent_calls,
                timeout_graceful_shutdown=max(1, int(settings.grace_s)),
                **_tls(settings),  # type: ignore[arg-type] # of several types
            )
        )
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen.

        Raises:
            StartError: The port is taken, or a TLS file cannot be read.
        """
        listener = _bind(self._settings)
        self.port = listener.getsockname()[1]
        try:
            self._server.config.load()
        except (OSError, ssl.SSLError) as error:
            listener.close()
            raise StartError(f"cannot use the TLS files for OTLP over HTTP: {error.strerror}") from None
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="otlp-http")
        # uvicorn says it by a flag alone; the socket listens already.
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - as above
            await asyncio.sleep(_STARTED_POLL_S)

    async def stop(self) -> None:
        """Answer what was begun, within the grace period, and close."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task


class _Server(uvicorn.Server):
    """Leaves signals to who serves gRPC, too."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _bind(settings: ServerSettings) -> socket.socket:
    host = settings.host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.processes > 1:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, settings.otlp_port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise StartError.otlp_port_taken(settings.host, settings.otlp_port) from None
    listener.setblocking(False)  # noqa: FBT003 - the standard library's
    return listener


def _tls(settings: ServerSettings) -> dict[str, object]:
    if not settings.tls_cert_file:
        return {}
    found: dict[str, object] = {"ssl_certfile": settings.tls_cert_file, "ssl_keyfile": settings.tls_key_file}
    if settings.tls_client_ca_file:
        found |= {"ssl_ca_certs": settings.tls_client_ca_file, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return found
