"""One serving process, from the environment to the exit status. A module of its own: siblings import it."""

from __future__ import annotations

import sys

import uvloop
from llm_observe._config import ConfigError

from codec.settings import RedactionSettings
from server.app import StartError, serve
from server.settings import ProviderSettings, ServerSettings
from storage.settings import StorageSettings
from telemetry.logging import LogSettings, start_logging
from telemetry.settings import SettingsError, load_settings
from worker.queue.settings import QueueSettings


def serve_in_this_process() -> int:
    """Serve from this process until told to stop; return the exit status."""
    try:
        start_logging(load_settings(LogSettings), process="server")
        settings = (
            load_settings(ServerSettings),
            load_settings(StorageSettings),
            load_settings(QueueSettings),
            load_settings(ProviderSettings),
            load_settings(RedactionSettings),
        )
        uvloop.run(serve(*settings))
    except (SettingsError, StartError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0
