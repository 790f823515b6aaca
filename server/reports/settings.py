"""How much a question may read from Postgres."""

from __future__ import annotations

from pydantic import Field

from telemetry.settings import EnvSettings


class ReportSettings(EnvSettings):
    """How much a question may read from Postgres."""

    live_logs: int = Field(200_000, alias="LLM_OBSERVE_REPORT_LIVE_LOGS", ge=0, le=10_000_000)
    """Logs that a report or an SQL statement may read from Postgres, because the lake does not have them."""
    live_timeout_s: float = Field(10.0, alias="LLM_OBSERVE_REPORT_LIVE_TIMEOUT_S", gt=0)
    """Longest that reading them may take, in seconds."""
