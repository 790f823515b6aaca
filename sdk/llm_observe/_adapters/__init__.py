"""The providers that LLMClient supports, one module each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from llm_observe._adapters.base import Adapter, ChatParameters

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PROVIDERS", "Adapter", "ChatParameters", "make_adapter"]

PROVIDERS: Final = ("openai", "anthropic", "gemini", "demo")


def make_adapter(provider: str, *, api_key: str | None, base_url: str | None) -> Adapter:
    """Return the adapter of a provider. The vendor's package is imported at the first call.

    Raises:
        ValueError: The provider is unknown.
    """
    if provider not in PROVIDERS:
        raise ValueError(f"provider must be one of {', '.join(PROVIDERS)}")
    make: Callable[..., Adapter] = import_module(f"llm_observe._adapters.{provider}").make
    return make(api_key=api_key, base_url=base_url)
