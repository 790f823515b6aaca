"""Where Postgres is and how it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, SecretStr, model_validator

from telemetry.settings import EnvSettings


class StorageSettings(EnvSettings):
    """Postgres 18 or later."""

    database_url: SecretStr = Field(alias="DATABASE_URL")
    """``postgresql://user:password@host:port/name``, special characters of the password percent-encoded."""
    password: SecretStr = Field(SecretStr(""), alias="LLM_OBSERVE_DB_PASSWORD")
    """The password as it is, in place of one in the URL."""
    password_file: str = Field("", alias="LLM_OBSERVE_DB_PASSWORD_FILE")
    """File with the password as it is, in place of one in the URL."""
    pool_size: int = Field(8, alias="LLM_OBSERVE_DB_POOL_SIZE", ge=1, le=200)
    """Connections of a pool; a worker has one, a server two (one for analytics alone)."""
    timeout_s: float = Field(10.0, alias="LLM_OBSERVE_DB_TIMEOUT_S", gt=0)
    """Longest a query may take, in seconds."""
    retention_days: int = Field(30, alias="LLM_OBSERVE_RETENTION_DAYS", ge=0, le=3650)
    """Whole UTC days that logs are kept; their rollups stay for ever. 0 keeps the logs, too."""

    span_retention_days: int = Field(14, alias="LLM_OBSERVE_SPAN_RETENTION_DAYS", ge=0, le=3650)
    """Whole UTC days that the spans around calls, which come by OTLP, are kept. 0 keeps them for ever."""

    _separate_password: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _read_password(self) -> Self:
        password = self.password.get_secret_value()
        if password and self.password_file:
            raise ValueError("set LLM_OBSERVE_DB_PASSWORD or LLM_OBSERVE_DB_PASSWORD_FILE, not both")
        self._separate_password = _read(self.password_file) if self.password_file else password or None
        return self

    @property
    def separate_password(self) -> str | None:
        """The password that is set apart from the URL, or None: the driver takes it in place of the URL's."""
        return self._separate_password


def _read(name: str) -> str:
    try:
        return Path(name).read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"LLM_OBSERVE_DB_PASSWORD_FILE: cannot read {name}: {error.strerror}") from None
