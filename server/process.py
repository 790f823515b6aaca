"""Serves in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
import sys
from typing import Final

import llm_observe
import structlog
import uvloop

from codec.extensions import COMPILED
from server.app import build_server
from server.listener import StartError
from server.settings import ServerConfig
from telemetry.logging import LogSettings, start_logging
from telemetry.process import recording
from telemetry.settings import SettingsError, load_settings

logger = structlog.get_logger("server")

_SWITCH_INTERVAL_S: Final = 0.0002
"""How long a thread that makes a large answer keeps the interpreter from the event loop, in seconds."""


def _stop_once(loop: asyncio.AbstractEventLoop, sentinel: int, stop: asyncio.Event) -> None:
    loop.remove_reader(sentinel)  # it stays readable
    stop.set()


async def serve(config: ServerConfig) -> None:
    """Serve until SIGTERM or SIGINT, or until the process that started this one has died."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop.add_reader(parent.sentinel, _stop_once, loop, parent.sentinel, stop)
    server = await build_server(config)
    _freeze_objects()
    otlp_port = server.otlp_http.port if server.otlp_http is not None else None
    logger.info(
        "server ready",
        host=config.server.host,
        port=server.port,
        otlp_port=otlp_port,
        compiled_check=COMPILED,
    )
    await stop.wait()
    await server.stop(config.server.grace_s)
    logger.info("server stopped")


def _freeze_objects() -> None:
    """Take what was imported out of every later garbage collection, each of which holds all calls."""
    gc.collect()
    gc.freeze()


def serve_in_this_process() -> int:
    """Serve as the environment says until told to stop; return the exit status."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        start_logging(load_settings(LogSettings), process="server")
        one_of_several = multiprocessing.parent_process() is not None
        with recording("server", llm_observe.__version__, one_of_several=one_of_several):
            uvloop.run(serve(ServerConfig.load()))
    except (SettingsError, StartError, llm_observe.ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0
