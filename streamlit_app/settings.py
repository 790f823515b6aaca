"""Where the server is."""

from __future__ import annotations

from pydantic import Field, SecretStr

from telemetry.settings import EnvSettings


class AppSettings(EnvSettings):
    """The dashboard."""

    grpc_port: int = Field(50051, alias="LLM_OBSERVE_GRPC_PORT", ge=1, le=65535)
    """Port of the server on this machine."""
    server: str = Field("", alias="LLM_OBSERVE_SERVER")
    """``host:port`` of the server; empty means this machine's."""
    timeout_s: float = Field(10.0, alias="LLM_OBSERVE_UI_TIMEOUT_S", gt=0)
    """Longest a page waits for an answer, in seconds."""

    login: bool = Field(default=False, alias="LLM_OBSERVE_UI_LOGIN")
    """Let in who has logged in by OpenID Connect, as Streamlit's ``[auth]`` secrets say."""
    api_key: SecretStr = Field(SecretStr(""), alias="LLM_OBSERVE_UI_API_KEY")
    """Key of the project to show, with the roles read, chat and admin; none where the server wants none."""
    tls: bool = Field(default=False, alias="LLM_OBSERVE_TLS")
    """Encrypt, and check the server's certificate. The SDK reads the same four variables."""
    tls_ca_file: str = Field("", alias="LLM_OBSERVE_TLS_CA_FILE")
    """PEM file of who may have signed it."""
    tls_cert_file: str = Field("", alias="LLM_OBSERVE_TLS_CERT_FILE")
    """PEM file of the dashboard's own certificate, for servers that want one."""
    tls_key_file: str = Field("", alias="LLM_OBSERVE_TLS_KEY_FILE")
    """PEM file of its key."""

    @property
    def target(self) -> str:
        """The server's address."""
        return self.server or f"127.0.0.1:{self.grpc_port}"
