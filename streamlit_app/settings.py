"""Settings of the dashboard."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from telemetry.settings import EnvSettings, is_loopback

_MIN_REFRESH_S: Final = 15.0
_CHAT_MARGIN_S: Final = 30.0
"""How much longer than an answer may take a page waits for it: the server opens and stores it, too."""

_USER_ROLES: Final = frozenset({"read", "chat", "admin"})


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
    otlp_port: int = Field(4318, alias="LLM_OBSERVE_OTLP_PORT", ge=0, le=65535)
    """Port of OTLP over HTTP of the server, for the page that says how to send. The server reads it, too."""
    timeout_s: float = Field(3.0, alias="LLM_OBSERVE_UI_TIMEOUT_S", gt=0)
    """Longest a page waits for an answer, in seconds."""
    chat_timeout_s: float = Field(300.0, alias="LLM_OBSERVE_CHAT_TIMEOUT_S", gt=0)
    """Longest a chat answer may take, in seconds. The server reads the same variable."""

    login: bool = Field(default=False, alias="LLM_OBSERVE_UI_LOGIN")
    """Require visitors to log in by OpenID Connect, configured in Streamlit's ``[auth]`` secrets."""
    users: str = Field("", alias="LLM_OBSERVE_UI_USERS")
    """Who may log in, by email address or ``@domain``, separated by commas, each with ``=`` and their roles.

    ``ada@example.com=admin,@example.com=read+chat``. Without roles: all that the key has. Empty: everybody
    whom the provider lets in.
    """
    session_s: float = Field(43_200.0, alias="LLM_OBSERVE_UI_SESSION_S", gt=0)
    """How long a login lasts, in seconds."""
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

    @field_validator("users")
    @classmethod
    def _require_known_roles(cls, users: str) -> str:
        _parse_users(users)
        return users

    def roles_of(self, email: str) -> frozenset[str] | None:
        """Return the roles of who logs in with an address, empty if they may not; None means the key's."""
        known = _parse_users(self.users)
        if not known:
            return None
        address = email.casefold()
        # The person's own entry stands before that of the domain.
        for who in (address, "@" + address.rpartition("@")[2]):
            if address and who in known:
                return known[who]
        return frozenset()

    @property
    def target(self) -> str:
        """The server's address."""
        return self.server or f"127.0.0.1:{self.grpc_port}"

    @property
    def otlp_endpoint(self) -> str:
        """The address for OTLP over HTTP, as far as this process can tell."""
        return f"http://{self.target.rpartition(':')[0] or self.target}:{self.otlp_port}"

    @property
    def chat_deadline_s(self) -> float:
        """How long the page waits for a chat answer, in seconds.

        Longer than the server does, whose own error comes first then, with its reason.
        """
        return self.chat_timeout_s + _CHAT_MARGIN_S

    @property
    def refresh_s(self) -> float:
        """How often a page refreshes, in seconds.

        Always longer than a page waits for answers, of which it may ask for some after others: a refresh
        replaces the one before, and with it the error that it was about to show.
        """
        return max(_MIN_REFRESH_S, 4 * self.timeout_s)


def _parse_users(text: str) -> dict[str, frozenset[str] | None]:
    """Return the roles of each user, None for all.

    Raises:
        ValueError: An entry is malformed.
    """
    users: dict[str, frozenset[str] | None] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        who, has_roles, words = entry.partition("=")
        roles = frozenset(word.strip() for word in words.split("+"))
        if "@" not in who or (has_roles and not roles <= _USER_ROLES):
            raise ValueError(
                "each user is an email address or @domain, and after `=` some of the roles read, chat and "
                "admin, joined by `+`"
            )
        users[who.strip().casefold()] = roles if has_roles else None
    return users
