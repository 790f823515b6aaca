"""How many queries run at once, and as whom."""

from __future__ import annotations

from pydantic import Field

from telemetry.settings import EnvSettings


class SandboxSettings(EnvSettings):
    """How many queries run at once, and as whom."""

    processes: int = Field(1, alias="LLM_OBSERVE_QUERY_PROCESSES", ge=1, le=8)
    """Queries that run at once."""
    queue_timeout_s: float = Field(10.0, alias="LLM_OBSERVE_QUERY_QUEUE_TIMEOUT_S", gt=0, le=600)
    """Longest a query waits for others, in seconds."""
    user: str = Field("nobody", alias="LLM_OBSERVE_QUERY_USER", min_length=1)
    """Account of the processes, where the server runs as root."""
