"""Where the server listens and what it may call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from llm_observe.limits import MAX_BATCH_LOGS
from pydantic import Field, SecretStr, model_validator

from analytics.lake.settings import LakeSettings
from analytics.pricing.settings import PricingSettings
from analytics.reports.settings import ReportSettings
from analytics.sandbox.settings import SandboxSettings
from codec.settings import RedactionSettings
from storage.settings import StorageSettings
from telemetry.settings import EnvSettings, is_loopback, load_settings
from worker.notices.settings import NoticeSettings
from worker.queue.settings import QueueSettings


class ServerSettings(EnvSettings):
    """The gRPC server."""

    host: str = Field("127.0.0.1", alias="LLM_OBSERVE_GRPC_HOST")
    """Address to listen on."""
    port: int = Field(50051, alias="LLM_OBSERVE_GRPC_PORT", ge=0, le=65535)
    """Port to listen on; 0 picks a free one."""
    otlp_http: bool = Field(default=True, alias="LLM_OBSERVE_OTLP_HTTP")
    """Serve OTLP over HTTP, on a port of its own; over gRPC it is served in any case."""
    otlp_port: int = Field(4318, alias="LLM_OBSERVE_OTLP_PORT", ge=0, le=65535)
    """Port of OTLP over HTTP, at the address of the gRPC server; 0 picks a free one."""
    otlp_spans: bool = Field(default=True, alias="LLM_OBSERVE_OTLP_SPANS")
    """Keep the spans of traces that come by OTLP, for the view of traces; calls become logs in any case."""
    processes: int = Field(1, alias="LLM_OBSERVE_SERVER_PROCESSES", ge=1, le=64)
    """Processes that share the port (SO_REUSEPORT); the kernel spreads connections over them."""
    require_keys: bool = Field(default=False, alias="LLM_OBSERVE_REQUIRE_KEYS")
    """Require an API key of every caller."""
    allow_insecure: bool = Field(default=False, alias="LLM_OBSERVE_ALLOW_INSECURE")
    """Allow a non-loopback address without keys or without TLS."""
    tls_cert_file: str = Field("", alias="LLM_OBSERVE_SERVER_TLS_CERT_FILE")
    """PEM file of the server's certificate chain; empty means no TLS."""
    tls_key_file: str = Field("", alias="LLM_OBSERVE_SERVER_TLS_KEY_FILE")
    """PEM file of its private key."""
    tls_client_ca_file: str = Field("", alias="LLM_OBSERVE_SERVER_TLS_CLIENT_CA_FILE")
    """PEM file of the authority that signs clients' certificates; if set, clients must present one (mTLS)."""
    max_concurrent_calls: int = Field(2_000, alias="LLM_OBSERVE_MAX_CONCURRENT_CALLS", ge=1)
    """Calls in flight; further calls of the same connection wait, those of other connections are refused."""
    max_streams_per_caller: int = Field(200, alias="LLM_OBSERVE_MAX_STREAMS_PER_CALLER", ge=1)
    """Streams of one method that a caller (a key, or without one an address) may have open in a process."""
    wrong_keys_per_minute: int = Field(600, alias="LLM_OBSERVE_WRONG_KEYS_PER_MINUTE", ge=0)
    """Wrong keys that an address may try per minute and process; 0 means any number."""
    max_connection_age_s: float = Field(0.0, alias="LLM_OBSERVE_MAX_CONNECTION_AGE_S", ge=0)
    """Seconds until clients are asked to reconnect, which spreads them over new replicas; 0 means never."""
    reflection: bool = Field(default=True, alias="LLM_OBSERVE_REFLECTION")
    """Serve reflection, so that grpcurl works without proto files."""
    grace_s: float = Field(10.0, alias="LLM_OBSERVE_SERVER_GRACE_S", ge=0)
    """How long SIGTERM waits for calls in flight, in seconds."""
    watched_folders: str = Field("", alias="LLM_OBSERVE_WATCHED_FOLDERS")
    """Folders whose disks health watches, separated by commas; `llm-observe up` sets those of its stores."""
    ingest_logs_per_minute: int = Field(
        600_000, alias="LLM_OBSERVE_INGEST_LOGS_PER_MINUTE", ge=MAX_BATCH_LOGS
    )
    """Logs per minute that a peer may send, across all replicas. No less than a full batch, which would
    otherwise never be accepted."""
    chat_turns_per_minute: int = Field(30, alias="LLM_OBSERVE_CHAT_TURNS_PER_MINUTE", ge=1)
    """Chat turns per minute of one session, across all replicas."""
    chat_project_turns_per_minute: int = Field(600, alias="LLM_OBSERVE_CHAT_PROJECT_TURNS_PER_MINUTE", ge=1)
    """Chat turns per minute of one project, across all replicas."""
    store_messages: Literal["full", "redacted", "none"] = Field(
        "redacted", alias="LLM_OBSERVE_STORE_MESSAGES"
    )
    """How chat stores messages: whole, redacted, or without text. Models get the history as stored."""
    chat_idle_timeout_s: float = Field(60.0, alias="LLM_OBSERVE_CHAT_IDLE_TIMEOUT_S", gt=0)
    """Longest silence of a provider before its answer is cancelled, in seconds."""
    chat_timeout_s: float = Field(300.0, alias="LLM_OBSERVE_CHAT_TIMEOUT_S", gt=0)
    """Longest a chat answer may take, in seconds."""

    @property
    def folders(self) -> list[str]:
        """The watched folders."""
        return [folder.strip() for folder in self.watched_folders.split(",") if folder.strip()]

    @property
    def max_streams(self) -> int:
        """Streams that all callers may have open at once: half of all calls, so that others find room."""
        return max(1, self.max_concurrent_calls // 2)

    @model_validator(mode="after")
    def _require_safe_address(self) -> Self:
        if self.allow_insecure or is_loopback(self.host):
            return self
        if not self.require_keys or not self.tls_cert_file:
            raise ValueError(
                "LLM_OBSERVE_GRPC_HOST is not a loopback address: set LLM_OBSERVE_REQUIRE_KEYS=true and "
                "LLM_OBSERVE_SERVER_TLS_CERT_FILE, or LLM_OBSERVE_ALLOW_INSECURE=true if something else "
                "protects the port"
            )
        return self

    @model_validator(mode="after")
    def _require_complete_tls(self) -> Self:
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError(
                "set both LLM_OBSERVE_SERVER_TLS_CERT_FILE and LLM_OBSERVE_SERVER_TLS_KEY_FILE, or neither"
            )
        if self.tls_client_ca_file and not self.tls_cert_file:
            raise ValueError(
                "LLM_OBSERVE_SERVER_TLS_CLIENT_CA_FILE requires LLM_OBSERVE_SERVER_TLS_CERT_FILE"
            )
        return self


class ProviderSettings(EnvSettings):
    """API keys, addresses and models of the providers that chat calls."""

    openai_api_key: SecretStr = Field(SecretStr(""), alias="OPENAI_API_KEY")
    """API key for OpenAI, or for an OpenAI-compatible server."""
    openai_base_url: str = Field("", alias="OPENAI_BASE_URL")
    """Address of an OpenAI-compatible server; empty means OpenAI's own."""
    openai_models: str = Field("gpt-4o-mini,gpt-4o,gpt-4.1-mini,gpt-4.1", alias="LLM_OBSERVE_OPENAI_MODELS")
    """Models to offer, the default first, separated by commas."""
    anthropic_api_key: SecretStr = Field(SecretStr(""), alias="ANTHROPIC_API_KEY")
    """API key for Anthropic."""
    anthropic_base_url: str = Field("", alias="ANTHROPIC_BASE_URL")
    """Address of a server that speaks Anthropic's protocol; empty means Anthropic's own."""
    anthropic_models: str = Field(
        "claude-sonnet-5-5,claude-haiku-5-5,claude-opus-5-5", alias="LLM_OBSERVE_ANTHROPIC_MODELS"
    )
    """Models to offer, the default first, separated by commas."""
    gemini_api_key: SecretStr = Field(SecretStr(""), alias="GEMINI_API_KEY")
    """API key for Gemini."""
    gemini_base_url: str = Field("", alias="GEMINI_BASE_URL")
    """Address of a server that speaks Gemini's protocol; empty means Google's own."""
    gemini_models: str = Field(
        "gemini-3.8-flash,gemini-3.5-flash,gemini-3.1-flash-lite", alias="LLM_OBSERVE_GEMINI_MODELS"
    )
    """Models to offer, the default first, separated by commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """All settings of a server process."""

    server: ServerSettings
    storage: StorageSettings
    queue: QueueSettings
    providers: ProviderSettings
    redaction: RedactionSettings
    pricing: PricingSettings
    notices: NoticeSettings
    lake: LakeSettings
    sandbox: SandboxSettings
    reports: ReportSettings

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: A variable is missing or wrong; the message names it.
        """
        return cls(
            server=load_settings(ServerSettings),
            storage=load_settings(StorageSettings),
            queue=load_settings(QueueSettings),
            providers=load_settings(ProviderSettings),
            redaction=load_settings(RedactionSettings),
            pricing=load_settings(PricingSettings),
            notices=load_settings(NoticeSettings),
            lake=load_settings(LakeSettings),
            sandbox=load_settings(SandboxSettings),
            reports=load_settings(ReportSettings),
        )
