"""Where Postgres is and how it is used."""

from __future__ import annotations

from pydantic import Field, SecretStr

from telemetry.settings import EnvSettings


class StorageSettings(EnvSettings):
    """Postgres 18 or later."""

    database_url: SecretStr = Field(alias="DATABASE_URL")
    """``postgresql://user:password@host:port/name``."""
    pool_size: int = Field(8, alias="LLM_OBSERVE_DB_POOL_SIZE", ge=1, le=200)
    """Connections of a pool; a worker has one, a server two (one for analytics alone)."""
    timeout_s: float = Field(10.0, alias="LLM_OBSERVE_DB_TIMEOUT_S", gt=0)
    """Longest a query may take, in seconds."""
    retention_days: int = Field(30, alias="LLM_OBSERVE_RETENTION_DAYS", ge=0, le=3650)
    """Whole UTC days that logs are kept; their rollups stay for ever. 0 keeps the logs, too."""
