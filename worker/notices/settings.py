"""Where notices may be sent, and the server that sends email."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from telemetry.settings import EnvSettings


class NoticeSettings(EnvSettings):
    """Where notices may be sent, and the server that sends email."""

    allow_private: bool = Field(default=False, alias="LLM_OBSERVE_ALERT_ALLOW_PRIVATE")
    """Allow webhooks at private, loopback and link-local addresses, and without TLS."""
    smtp_host: str = Field("", alias="LLM_OBSERVE_SMTP_HOST")
    """Server that sends email about alerts; empty means that none can be sent."""
    smtp_port: int = Field(587, alias="LLM_OBSERVE_SMTP_PORT", ge=1, le=65535)
    """Its port."""
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", alias="LLM_OBSERVE_SMTP_SECURITY")
    """How the connection is encrypted: by STARTTLS, from the start, or not at all."""
    smtp_username: str = Field("", alias="LLM_OBSERVE_SMTP_USERNAME")
    """User name there; empty means no login."""
    smtp_password: SecretStr = Field(SecretStr(""), alias="LLM_OBSERVE_SMTP_PASSWORD")
    """Password there."""
    smtp_from: str = Field("llm-observe@localhost", alias="LLM_OBSERVE_SMTP_FROM")
    """Sender of the email."""
