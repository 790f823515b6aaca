"""Settings of the dashboard."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, SecretStr, model_validator

from telemetry.settings import EnvSettings, is_loopback

_MIN_REFRESH_S: Final = 15.0
_CHAT_MARGIN_S: Final = 30.0
"""How much longer than an answer may take a page waits for it: the server opens and stores it, too."""


class ListenSettings(EnvSettings):
    """Where the dashboard listens."""

    host: str = Field("127.0.0.1", alias="LLM_OBSERVE_UI_HOST")
    """Address to listen on."""
    port: int = Field(8501, alias="LLM_OBSERVE_UI_PORT", ge=1, le=65535)
    """Port to listen on."""
    login: bool = Field(default=False, alias="LLM_OBSERVE_UI_LOGIN")
    """Whether visitors must log in; see AppSettings."""
    allow_insecure: bool = Field(default=False, alias="LLM_OBSERVE_ALLOW_INSECURE")
    """Allow a non-loopback address without a login."""

    @model_validator(mode="after")
    def _require_safe_address(self) -> Self:
        if not (self.login or self.allow_insecure or is_loopback(self.host)):
            raise ValueError(
                "LLM_OBSERVE_UI_HOST is not a loopback address: set LLM_OBSERVE_UI_LOGIN=true, or "
                "LLM_OBSERVE_ALLOW_INSECURE=true if something else protects the port"
            )
        return self


class AppSettings(EnvSettings):
    """The dashboard."""

    grpc_port: int = Field(50051, alias="LLM_OBSERVE_GRPC_PORT", ge=1, le=65535)
    """Port of the server on this machine."""
    server: str = Field("", alias="LLM_OBSERVE_SERVER")
    """``host:port`` of the server; empty means this machine's."""
    timeout_s: float = Field(3.0, alias="LLM_OBSERVE_UI_TIMEOUT_S", gt=0)
    """Longest a page waits for an answer, in seconds."""
    chat_timeout_s: float = Field(300.0, alias="LLM_OBSERVE_CHAT_TIMEOUT_S", gt=0)
    """Longest a chat answer may take, in seconds. The server reads the same variable."""

    login: bool = Field(default=False, alias="LLM_OBSERVE_UI_LOGIN")
    """Require visitors to log in by OpenID Connect, configured in Streamlit's ``[auth]`` secrets."""
    api_key: SecretStr = Field(SecretStr(""), alias="LLM_OBSERVE_UI_API_KEY")
    """Key of the project to show, with the roles read, chat and admin; empty if the server needs none."""
    tls: bool = Field(default=False, alias="LLM_OBSERVE_TLS")
    """Encrypt, and verify the server's certificate. The SDK reads the same four variables."""
    tls_ca_file: str = Field("", alias="LLM_OBSERVE_TLS_CA_FILE")
    """PEM file of the authority that signed the server's certificate."""
    tls_cert_file: str = Field("", alias="LLM_OBSERVE_TLS_CERT_FILE")
    """PEM file of the dashboard's own certificate, for servers that require one."""
    tls_key_file: str = Field("", alias="LLM_OBSERVE_TLS_KEY_FILE")
    """PEM file of its key."""

    @model_validator(mode="after")
    def _require_whole_pair(self) -> Self:
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("set both LLM_OBSERVE_TLS_CERT_FILE and LLM_OBSERVE_TLS_KEY_FILE, or neither")
        return self

    @property
    def target(self) -> str:
        """The server's address."""
        return self.server or f"127.0.0.1:{self.grpc_port}"

    @property
    def chat_deadline_s(self) -> float:
        """How long the page waits for a chat answer, in seconds.

        Longer than the server does, whose own error comes first then, with its reason.
        """
        return self.chat_timeout_s + _CHAT_MARGIN_S

    @property
    def refresh_s(self) -> float:
        """How often a page refreshes, in seconds.

        Always longer than a page waits for an answer: a refresh replaces the one before, and with it the
        error that it was about to show.
        """
        return max(_MIN_REFRESH_S, 2 * self.timeout_s)
