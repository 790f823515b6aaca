"""How much a worker processes at once, how much it may dead-letter, and how it stops."""

from __future__ import annotations

from pydantic import Field

from telemetry.settings import EnvSettings


class WorkerSettings(EnvSettings):
    """How much a worker processes at once, how much it may dead-letter, and how it stops."""

    concurrency: int = Field(16, alias="LLM_OBSERVE_WORKER_CONCURRENCY", ge=1, le=256)
    """Messages in flight at once."""
    grace_s: float = Field(20.0, alias="LLM_OBSERVE_WORKER_GRACE_S", gt=0)
    """How long SIGTERM waits for messages in flight, in seconds."""

    dead_letters_per_minute: int = Field(5_000, alias="LLM_OBSERVE_DEAD_LETTERS_PER_MINUTE", ge=1)
    """Logs per minute that a worker may dead-letter; others stay in the queue, with a warning in the log."""
