"""One serving process, from the environment to the exit status. A module of its own: siblings import it."""

from __future__ import annotations

import sys

import uvloop
from llm_observe._config import ConfigError

from server.app import StartError, serve
from server.settings import ProviderSettings, ServerSettings
from storage.settings import StorageSettings
from telemetry.logs import LogSettings, start_logging
from telemetry.settings import SettingsError, load_settings
from worker.queue import QueueSettings, RedactionSettings


def run_here() -> int:
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
