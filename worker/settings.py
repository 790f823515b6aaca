"""How much a worker processes at once and may dead-letter, how it stops, and how it keeps rollups."""

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


class RollupSettings(EnvSettings):
    """How rollups are merged and kept."""

    merge_interval_s: float = Field(5.0, alias="LLM_OBSERVE_ROLLUP_MERGE_INTERVAL_S", gt=0, le=600)
    """Pause between two merges of what was added to the rollups, in seconds. Answers are exact at any pause;
    they take longer when it is long."""
    max_groups: int = Field(1_000, alias="LLM_OBSERVE_MAX_GROUPS_PER_HOUR", ge=1)
    """Combinations of provider, model, operation and environment that a project may open per hour; calls of
    further ones are counted under `other`, and stored whole."""
    minutes_kept_hours: int = Field(48, alias="LLM_OBSERVE_MINUTE_ROLLUPS_KEPT_HOURS", ge=1, le=24 * 366)
    """How long numbers by the minute are kept, in hours; numbers by the hour are kept for ever."""
