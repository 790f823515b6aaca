"""Where Redis is, and how the queue in it behaves."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from telemetry.settings import EnvSettings
from worker.queue.redis_url import check_url


class QueueSettings(EnvSettings):
    """Redis 7 or later, or Valkey."""

    redis_url: SecretStr = Field(alias="REDIS_URL")
    """``redis://:password@host:port/0``, or ``redis+sentinel://:password@host:port,host:port/service/0``."""
    queue_name: str = Field("llm_observe:logs", alias="LLM_OBSERVE_QUEUE_NAME")
    """Name of the stream; the names of all other keys begin with it."""
    heartbeat_s: float = Field(0.75, alias="LLM_OBSERVE_QUEUE_HEARTBEAT_S", gt=0)
    """How often a worker renews its heartbeat, in seconds."""
    liveness_s: float = Field(3.0, alias="LLM_OBSERVE_QUEUE_LIVENESS_S", gt=0)
    """After this long without a heartbeat a worker counts as dead, and others take over, in seconds."""
    max_megabytes: int = Field(1_024, alias="LLM_OBSERVE_QUEUE_MAX_MEGABYTES", ge=1)
    """What the queue may take of Redis' memory, in megabytes; also, no more than 80 % of ``maxmemory`` may be
    used. Beyond that servers refuse new batches."""
    max_attempts: int = Field(3, alias="LLM_OBSERVE_QUEUE_MAX_ATTEMPTS", ge=2)
    """Attempts before a batch becomes a dead letter. At least 2: a killed worker's batches use up one."""

    @field_validator("redis_url")
    @classmethod
    def _can_be_used(cls, url: SecretStr) -> SecretStr:
        check_url(url.get_secret_value())
        return url
