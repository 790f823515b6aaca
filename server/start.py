"""Serves the gRPC API as the environment says, from one process or several."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from server.listener import StartError
from server.prefork import ProcessPool, hold_port
from server.process import serve_in_this_process
from server.settings import ServerSettings
from telemetry.logging import LogSettings, start_logging
from telemetry.process import exposing_children
from telemetry.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def main() -> int:
    """Run until told to stop; return the exit status."""
    try:
        settings = load_settings(ServerSettings)
        if settings.processes == 1:
            return serve_in_this_process()
        start_logging(load_settings(LogSettings), process="server")
        return _serve_from_several(settings)
    except (SettingsError, StartError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _serve_from_several(settings: ServerSettings) -> int:
    try:
        holder = hold_port(settings.host, settings.port)
    except OSError:
        raise StartError.port_taken(settings.host, settings.port) from None
    with holder, _hold_otlp_port(settings):
        # The processes read their settings from the environment: where it says 0, all must get the same port.
        os.environ["LLM_OBSERVE_GRPC_PORT"] = str(holder.getsockname()[1])
        with exposing_children("server") as forget:
            pool = ProcessPool(serve_in_this_process, settings.processes, settings.grace_s, on_exit=forget)
            return pool.run()


def _hold_otlp_port(settings: ServerSettings) -> AbstractContextManager[object]:
    """Reserve the port of OTLP over HTTP for all processes, as the gRPC port."""
    if not settings.otlp_http:
        return nullcontext()
    try:
        holder = hold_port(settings.host, settings.otlp_port)
    except OSError:
        raise StartError.otlp_port_taken(settings.host, settings.otlp_port) from None
    os.environ["LLM_OBSERVE_OTLP_PORT"] = str(holder.getsockname()[1])
    return holder
