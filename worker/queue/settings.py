"""Where Redis is, and how batches travel through it."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from telemetry.settings import EnvSettings
from worker.queue.redis_url import check_url


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
    """ChatAttempts before a batch becomes a dead letter."""

    @field_validator("redis_url")
    @classmethod
    def _can_be_used(cls, url: SecretStr) -> SecretStr:
        check_url(url.get_secret_value())
        return url
