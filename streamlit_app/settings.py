"""Where the server is."""

from __future__ import annotations

from pydantic import Field

from telemetry.settings import EnvSettings


class AppSettings(EnvSettings):
    """The dashboard."""

    grpc_port: int = Field(50051, alias="LLM_OBSERVE_GRPC_PORT", ge=1, le=65535)
    """Port of the server on this machine."""
    server: str = Field("", alias="LLM_OBSERVE_SERVER")
    """``host:port`` of the server; empty means this machine's."""
    timeout_s: float = Field(10.0, alias="LLM_OBSERVE_UI_TIMEOUT_S", gt=0)
    """Longest a page waits for an answer, in seconds."""

    @property
    def target(self) -> str:
        """The server's address."""
        return self.server or f"127.0.0.1:{self.grpc_port}"
