"""Which settings each process reads, and whether all are valid before any process starts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from llm_observe import ConfigError
from llm_observe.channel import open_from_env

from analytics.lake.settings import LakeSettings
from analytics.pricing.settings import PricingSettings
from analytics.reports.settings import ReportSettings
from analytics.sandbox.settings import SandboxSettings
from codec.settings import RedactionSettings
from server.settings import ProviderSettings, ServerSettings
from storage.settings import StorageSettings
from streamlit_app.settings import AppSettings, ListenSettings
from telemetry.heartbeat import HeartbeatSettings
from telemetry.logging import LogSettings
from telemetry.otel_settings import TelemetrySettings
from telemetry.settings import SettingsError, load_settings
from worker.notices.settings import NoticeSettings
from worker.queue.settings import QueueSettings
from worker.settings import RollupSettings, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_settings import BaseSettings

_STORES: Final[tuple[type[BaseSettings], ...]] = (
    LogSettings,
    TelemetrySettings,
    StorageSettings,
    QueueSettings,
)
SETTINGS: Final[dict[str, tuple[type[BaseSettings], ...]]] = {
    "migrate": (LogSettings, StorageSettings),
    "server": (
        *_STORES, ServerSettings, ProviderSettings, RedactionSettings, PricingSettings, NoticeSettings,
        LakeSettings, SandboxSettings, ReportSettings,
    ),
    "worker": (
        *_STORES, WorkerSettings, RollupSettings, RedactionSettings, PricingSettings, NoticeSettings,
        LakeSettings, HeartbeatSettings,
    ),
    "scheduler": (*_STORES, NoticeSettings, HeartbeatSettings),
    "app": (LogSettings, ListenSettings, AppSettings),
}  # fmt: skip
_EMBEDDED: Final[dict[type[BaseSettings], tuple[str, dict[str, str]]]] = {
    StorageSettings: ("DATABASE_URL", {"database_url": "postgresql://embedded"}),
    QueueSettings: ("REDIS_URL", {"redis_url": "redis://embedded"}),
}
"""Settings of the stores: the variable that `up` sets where it starts its own, and a stand-in for it."""

_INVALID: Final = "invalid settings: "


def check_settings() -> None:
    """Validate the settings of every process that `llm-observe up` starts.

    Raises:
        SettingsError: The message names each variable that is missing or wrong.
    """
    problems = list(dict.fromkeys(_problems()))
    if problems:
        raise SettingsError(f"{_INVALID}{'; '.join(problems)}")


def _problems() -> Iterator[str]:
    for kind in dict.fromkeys(kind for kinds in SETTINGS.values() for kind in kinds):
        variable, stand_in = _EMBEDDED.get(kind, ("", {}))
        try:
            load_settings(kind, **({} if os.environ.get(variable) else stand_in))
        except SettingsError as error:
            yield str(error).removeprefix(_INVALID)
    try:
        open_from_env("127.0.0.1:1").close()  # as commands do, with the SDK's settings of TLS and keys
    except ConfigError as error:
        yield str(error)
    except OSError as error:
        yield f"LLM_OBSERVE_TLS_*_FILE: cannot read {error.filename}: {error.strerror}"
