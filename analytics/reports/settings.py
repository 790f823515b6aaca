"""How much a question may read from Postgres."""

from __future__ import annotations

from pydantic import Field

from telemetry.settings import EnvSettings


class ReportSettings(EnvSettings):
    """How much a question may read from Postgres."""

    live_logs: int = Field(200_000, alias="LLM_OBSERVE_REPORT_LIVE_LOGS", ge=0, le=10_000_000)
    """Logs that a report or an SQL statement may read from Postgres, because the lake does not have them."""
    live_megabytes: int = Field(128, alias="LLM_OBSERVE_REPORT_LIVE_MEGABYTES", ge=1, le=4096)
    """The same in megabytes of text."""
    copies_megabytes: int = Field(4096, alias="LLM_OBSERVE_REPORT_COPIES_MEGABYTES", ge=0)
    """Disk that copies of files from a bucket may take between questions, in megabytes."""
    live_timeout_s: float = Field(10.0, alias="LLM_OBSERVE_REPORT_LIVE_TIMEOUT_S", gt=0)
    """Longest that reading them may take, in seconds."""
