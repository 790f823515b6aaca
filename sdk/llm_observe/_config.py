"""Settings of the SDK: one immutable object, from arguments or the environment."""

from __future__ import annotations

import math
import os
from typing import Final, NamedTuple

from llm_observe._redaction.rules import NATIONAL_KINDS, check_kinds, make_rules, parse_kinds, parse_patterns

_MAX_WAIT_S: Final = 1_000_000_000
"""Longest setting in seconds: a thread cannot wait much longer, nor forever."""


class ConfigError(ValueError):
    """A setting is invalid; the message names it."""


class Config(NamedTuple):
    """Every setting, with its default."""

    endpoint: str = ""
    """``host:port`` of the collector; empty means nothing is sent. ``LLM_OBSERVE_ENDPOINT``."""
    api_key: str = ""
    """Key of the project the logs belong to; empty if the server requires none. ``LLM_OBSERVE_API_KEY``."""
    tls: bool = False
    """Encrypt, and check the server's certificate. ``LLM_OBSERVE_TLS``."""
    tls_ca_file: str = ""
    """PEM file of the authorities that may have signed it; empty means gRPC's default.
    ``LLM_OBSERVE_TLS_CA_FILE``."""
    tls_cert_file: str = ""
    """PEM file of a client certificate, for mTLS. ``LLM_OBSERVE_TLS_CERT_FILE``."""
    tls_key_file: str = ""
    """PEM file of its key. ``LLM_OBSERVE_TLS_KEY_FILE``."""
    environment: str = ""
    """Name of the environment, such as ``production``. ``LLM_OBSERVE_ENVIRONMENT``."""
    release: str = ""
    """Release of the application. ``LLM_OBSERVE_RELEASE``."""
    capture_content: bool = True
    """False sends no text that may hold content: no previews, and only the code and status of errors.
    ``LLM_OBSERVE_CAPTURE_CONTENT``."""
    request_stream_usage: bool | None = None
    """Ask for the usage chunk of OpenAI's streams and hide it from the application: true asks every server,
    false none; by default, OpenAI and Azure are asked. ``LLM_OBSERVE_REQUEST_STREAM_USAGE``."""
    queue_max_logs: int = 10_000
    """Most calls in the queue. ``LLM_OBSERVE_QUEUE_MAX_LOGS``."""
    queue_max_bytes: int = 12 * 1024 * 1024
    """Most bytes that queued calls and those on their way take, text and overhead.
    ``LLM_OBSERVE_QUEUE_MAX_BYTES``."""
    batch_delay_s: float = 0.5
    """How long a call may wait for others, in seconds. ``LLM_OBSERVE_BATCH_DELAY_S``."""
    export_timeout_s: float = 10.0
    """Deadline of one attempt to send, in seconds. ``LLM_OBSERVE_EXPORT_TIMEOUT_S``."""
    delivery_timeout_s: float = 3600.0
    """How long a batch is retried, waits included, before it is dropped, in seconds.
    ``LLM_OBSERVE_DELIVERY_TIMEOUT_S``."""
    exit_timeout_s: float = 2.0
    """How long process exit may wait for the queue, in seconds. ``LLM_OBSERVE_EXIT_TIMEOUT_S``."""
    spool_dir: str = ""
    """Folder where redacted batches wait on disk, so that they survive kill -9; empty keeps them in memory.
    ``LLM_OBSERVE_SPOOL_DIR``."""
    spool_max_bytes: int = 64 * 1024 * 1024
    """Most bytes that a process may leave in the spool. ``LLM_OBSERVE_SPOOL_MAX_BYTES``."""
    redaction_disabled_kinds: str = ""
    """Built-in kinds not to redact, separated by commas. ``LLM_OBSERVE_REDACTION_DISABLED_KINDS``."""
    redaction_enabled_kinds: str = ""
    """National ids to redact, separated by commas. ``LLM_OBSERVE_REDACTION_ENABLED_KINDS``."""
    redaction_patterns: str = ""
    """Your own kinds: a JSON object of placeholder to regular expression.
    ``LLM_OBSERVE_REDACTION_PATTERNS``."""

    def __repr__(self) -> str:
        """Hide the key: services that report errors show the values of variables."""
        shown = self._asdict() | {"api_key": "..." if self.api_key else ""}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @classmethod
    def from_env(cls, **overrides: object) -> Config:
        """Return the settings of the environment, with those of ``overrides`` that are not None.

        Raises:
            ConfigError: A setting is invalid.
        """
        values: dict[str, object] = {}
        for name, default in cls._field_defaults.items():
            override = overrides.get(name)
            raw = os.environ.get(f"LLM_OBSERVE_{name.upper()}")
            if override is not None:
                values[name] = override
            elif raw is not None:
                values[name] = _parse(name, raw, default)
        config = cls(**values)  # type: ignore[arg-type] # _check() checks the types
        _check(config)
        return config


def _parse(name: str, raw: str, default: object) -> object:
    try:
        if default is None or isinstance(default, bool):
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                raw.strip().lower()
            ]
        if isinstance(default, int | float):
            return type(default)(raw)
    except (KeyError, ValueError):
        kind = "true or false" if default is None or isinstance(default, bool) else "a number"
        raise ConfigError(f"LLM_OBSERVE_{name.upper()} must be {kind}") from None
    return raw.strip()


def _check(config: Config) -> None:
    _check_types(config)
    host, _, port = config.endpoint.rpartition(":")
    if config.endpoint and not (host and port.isdigit()) and not config.endpoint.startswith("unix:"):
        raise ConfigError("endpoint (LLM_OBSERVE_ENDPOINT) must be host:port, such as 127.0.0.1:50051")
    if any(char.isspace() or not char.isascii() for char in config.api_key):
        raise ConfigError("api_key (LLM_OBSERVE_API_KEY) must be ASCII without spaces")
    if bool(config.tls_cert_file) != bool(config.tls_key_file):
        raise ConfigError(
            "set both tls_cert_file and tls_key_file (LLM_OBSERVE_TLS_CERT_FILE, _KEY_FILE), or neither"
        )
    if not config.tls and (config.tls_ca_file or config.tls_cert_file):
        raise ConfigError("tls_ca_file and tls_cert_file require tls (LLM_OBSERVE_TLS=true)")
    if config.spool_dir and not hasattr(os, "fork"):
        raise ConfigError(
            "spool_dir (LLM_OBSERVE_SPOOL_DIR) requires a system with file locks, such as Linux"
        )
    try:
        check_kinds(parse_kinds(config.redaction_disabled_kinds))
        check_kinds(parse_kinds(config.redaction_enabled_kinds), NATIONAL_KINDS)
        make_rules(parse_patterns(config.redaction_patterns))
    except ValueError as error:
        raise ConfigError(
            f"LLM_OBSERVE_REDACTION_DISABLED_KINDS, _ENABLED_KINDS or _PATTERNS: {error}"
        ) from None


def _check_types(config: Config) -> None:
    for name, default in Config._field_defaults.items():
        value = getattr(config, name)
        if default is None:
            valid, expected = value is None or isinstance(value, bool), "true or false"
        elif isinstance(default, str | bool):
            valid = isinstance(value, type(default))
            expected = "a string" if isinstance(default, str) else "true or false"
        else:
            most = _MAX_WAIT_S if name.endswith("_s") else math.inf
            valid = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most
            expected = "a positive number" if most == math.inf else f"above 0 and at most {most}"
        if not valid:
            raise ConfigError(f"{name} (LLM_OBSERVE_{name.upper()}) must be {expected}")
