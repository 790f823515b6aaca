"""What is redacted before it is stored."""

from __future__ import annotations

from typing import Self

from llm_observe.redaction import Redactor
from pydantic import Field, model_validator

from telemetry.settings import EnvSettings


class RedactionSettings(EnvSettings):
    """What is redacted before it is stored, whatever a client sent. The SDK reads the same variables."""

    disabled_kinds: str = Field("", alias="LLM_OBSERVE_REDACTION_DISABLED_KINDS")
    """Built-in kinds to leave alone, separated by commas."""
    enabled_kinds: str = Field("", alias="LLM_OBSERVE_REDACTION_ENABLED_KINDS")
    """Kinds of national ids to redact, separated by commas."""
    patterns: str = Field("", alias="LLM_OBSERVE_REDACTION_PATTERNS")
    """Kinds of your own: a JSON object of placeholder to regular expression."""

    @model_validator(mode="after")
    def _are_right(self) -> Self:
        self.make_redactor()
        return self

    def make_redactor(self) -> Redactor:
        """Return a redactor of these settings."""
        return Redactor.from_settings(self.disabled_kinds, self.patterns, self.enabled_kinds)
