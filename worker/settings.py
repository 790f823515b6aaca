"""Where Redis is and how the queue is worked."""

from __future__ import annotations

from typing import Self

from llm_observe.redaction import Redactor
from pydantic import Field, SecretStr, field_validator, model_validator

from telemetry.settings import EnvSettings
from worker.redis_url import check_url


class QueueSettings(EnvSettings):
    """Redis 7 or later, or Valkey."""

    redis_url: SecretStr = Field(alias="REDIS_URL")
    """``redis://:password@host:port/0``, or ``redis+sentinel://:password@host:port,host:port/service/0``."""
    queue_name: str = Field("llm_observe:logs", alias="LLM_OBSERVE_QUEUE_NAME")
    """Name of the stream; its helpers' keys begin with it."""
    heartbeat_s: float = Field(0.75, alias="LLM_OBSERVE_QUEUE_HEARTBEAT_S", gt=0)
    """How often a worker says that it lives, in seconds."""
    liveness_s: float = Field(3.0, alias="LLM_OBSERVE_QUEUE_LIVENESS_S", gt=0)
    """A worker that was silent this long is dead: its batches go to others, in seconds."""
    max_attempts: int = Field(3, alias="LLM_OBSERVE_QUEUE_MAX_ATTEMPTS", ge=1)
    """Attempts before a batch becomes a dead letter."""

    @field_validator("redis_url")
    @classmethod
    def _can_be_used(cls, url: SecretStr) -> SecretStr:
        check_url(url.get_secret_value())
        return url


class WorkerSettings(EnvSettings):
    """How much a worker does at once, and how it stops."""

    concurrency: int = Field(16, alias="LLM_OBSERVE_WORKER_CONCURRENCY", ge=1, le=256)
    """Batches in work at once."""
    grace_s: float = Field(20.0, alias="LLM_OBSERVE_WORKER_GRACE_S", gt=0)
    """How long SIGTERM waits for batches in work, in seconds."""

    dead_letters_per_minute: int = Field(5_000, alias="LLM_OBSERVE_DEAD_LETTERS_PER_MINUTE", ge=1)
    """Logs a worker may give up in a minute; beyond that they stay in the queue and the worker complains."""


class RedactionSettings(EnvSettings):
    """What is redacted before it is stored, whatever a client sent. The SDK reads the same variables."""

    disabled_kinds: str = Field("", alias="LLM_OBSERVE_REDACTION_DISABLED_KINDS")
    """Built-in kinds to leave alone, separated by commas."""
    patterns: str = Field("", alias="LLM_OBSERVE_REDACTION_PATTERNS")
    """Kinds of your own: a JSON object of placeholder to regular expression."""

    @model_validator(mode="after")
    def _are_right(self) -> Self:
        self.make_redactor()
        return self

    def make_redactor(self) -> Redactor:
        """Return a redactor of these settings."""
        return Redactor.from_settings(self.disabled_kinds, self.patterns)
