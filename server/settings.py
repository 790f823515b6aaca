"""Where the server listens and what it may call."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import Field, SecretStr, model_validator

from telemetry.settings import EnvSettings


class ServerSettings(EnvSettings):
    """The gRPC server."""

    host: str = Field("127.0.0.1", alias="LLM_OBSERVE_GRPC_HOST")
    """Address to listen on."""
    port: int = Field(50051, alias="LLM_OBSERVE_GRPC_PORT", ge=0, le=65535)
    """Port to listen on; 0 picks a free one."""
    processes: int = Field(1, alias="LLM_OBSERVE_SERVER_PROCESSES", ge=1, le=64)
    """Processes that share the port (SO_REUSEPORT); the kernel spreads connections over them."""
    allow_insecure: bool = Field(default=False, alias="LLM_OBSERVE_ALLOW_INSECURE")
    """Listen beyond loopback although there are no keys and no TLS."""
    reflection: bool = Field(default=True, alias="LLM_OBSERVE_REFLECTION")
    """Serve reflection, so that grpcurl works without proto files."""
    grace_s: float = Field(10.0, alias="LLM_OBSERVE_SERVER_GRACE_S", ge=0)
    """How long SIGTERM waits for calls in work, in seconds."""
    ingest_logs_per_minute: int = Field(600_000, alias="LLM_OBSERVE_INGEST_LOGS_PER_MINUTE", ge=1)
    """Logs that a peer may send in a minute, whichever replica it asks."""
    chat_timeout_s: float = Field(300.0, alias="LLM_OBSERVE_CHAT_TIMEOUT_S", gt=0)
    """Longest a chat answer may take, in seconds."""

    @model_validator(mode="after")
    def _loopback_unless_said(self) -> Self:
        if not self.allow_insecure and not _is_loopback(self.host):
            raise ValueError(
                "LLM_OBSERVE_GRPC_HOST is not a loopback address and the server has no keys: "
                "set LLM_OBSERVE_ALLOW_INSECURE=true if that is what you want"
            )
        return self


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class ProviderSettings(EnvSettings):
    """Keys and addresses of the providers that chat may call."""

    openai_api_key: SecretStr = Field(SecretStr(""), alias="OPENAI_API_KEY")
    """Key for OpenAI, or whatever an OpenAI-compatible server wants."""
    openai_base_url: str = Field("", alias="OPENAI_BASE_URL")
    """Address of an OpenAI-compatible server; empty means OpenAI's own."""
    openai_models: str = Field("gpt-4o-mini,gpt-4o,gpt-4.1-mini,gpt-4.1", alias="LLM_OBSERVE_OPENAI_MODELS")
    """Models to offer, the default first, separated by commas."""
