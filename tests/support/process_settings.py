"""Which settings each process reads, for tests of what sets them: docker-compose.yml and k8s/."""

from __future__ import annotations

from pydantic_settings import BaseSettings

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
from worker.notices.settings import NoticeSettings
from worker.queue.settings import QueueSettings
from worker.settings import RollupSettings, WorkerSettings

_STORES: tuple[type[BaseSettings], ...] = (LogSettings, TelemetrySettings, StorageSettings, QueueSettings)
SETTINGS: dict[str, tuple[type[BaseSettings], ...]] = {
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


def variables(process: str) -> set[str]:
    """Return the names of the variables that a process reads."""
    return {str(field.alias) for kind in SETTINGS[process] for field in kind.model_fields.values()}
