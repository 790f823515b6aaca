"""Which providers chat can call, through the SDK's LLMClient like any other application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe import LLMClient
from llm_observe.v1.chat_service_pb2 import ProviderModels
from llm_observe.v1.error_reason_pb2 import ErrorReason

from server.errors import ProviderFailed, ProviderNotConfigured, ProviderUnknown

if TYPE_CHECKING:
    from server.settings import ProviderSettings

_BY_STATUS = {
    400: ErrorReason.ERROR_REASON_PROVIDER_REJECTED,
    401: ErrorReason.ERROR_REASON_PROVIDER_UNAUTHENTICATED,
    403: ErrorReason.ERROR_REASON_PROVIDER_UNAUTHENTICATED,
    404: ErrorReason.ERROR_REASON_PROVIDER_REJECTED,
    408: ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
    422: ErrorReason.ERROR_REASON_PROVIDER_REJECTED,
    429: ErrorReason.ERROR_REASON_PROVIDER_RATE_LIMITED,
}


class Providers:
    """The clients, made with the first use."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._settings = settings
        self._clients: dict[str, LLMClient] = {}

    def list_models(self) -> list[ProviderModels]:
        """Return every provider, whether it can be called, and its usual models."""
        return [
            ProviderModels(
                provider="openai",
                configured=self._has_openai(),
                models=self._openai_models(),
                required_setting="OPENAI_API_KEY",
            ),
            ProviderModels(provider="demo", configured=True, models=["demo-echo"]),
        ]

    def _has_openai(self) -> bool:
        return bool(self._settings.openai_api_key.get_secret_value() or self._settings.openai_base_url)

    def _openai_models(self) -> list[str]:
        return [name.strip() for name in self._settings.openai_models.split(",") if name.strip()]

    def client(self, provider: str) -> LLMClient:
        """Return the client of a provider.

        Raises:
            ProviderUnknown: There is no such provider.
            ProviderNotConfigured: It has no key.
        """
        if provider not in {"openai", "demo"}:
            raise ProviderUnknown
        if provider == "openai" and not self._has_openai():
            raise ProviderNotConfigured(provider, "OPENAI_API_KEY")
        if provider not in self._clients:
            self._clients[provider] = self._make(provider)
        return self._clients[provider]

    async def aclose(self) -> None:
        """Let go of every connection."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _make(self, provider: str) -> LLMClient:
        if provider == "demo":
            return LLMClient("demo")
        return LLMClient(
            "openai",
            next(iter(self._openai_models()), None),
            # A compatible server on this machine may want no key; the vendor's client insists on one.
            api_key=self._settings.openai_api_key.get_secret_value() or "none",
            base_url=self._settings.openai_base_url or None,
        )


def to_provider_error(error: Exception, *, provider: str, log_id: str) -> ProviderFailed:
    """Return our error for a vendor's; what the vendor wrote is left behind."""
    status = getattr(error, "status_code", None)
    if getattr(error, "code", None) == "context_length_exceeded":
        reason = ErrorReason.ERROR_REASON_CONTEXT_TOO_LONG
    elif isinstance(status, int):
        reason = _BY_STATUS.get(status, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
    elif "Timeout" in type(error).__name__:
        reason = ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT
    else:
        reason = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE
    return ProviderFailed(reason, provider=provider, log_id=log_id)
