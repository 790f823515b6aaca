"""The providers that chat can call, each through the SDK's LLMClient, and their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llm_observe import LLMClient
from llm_observe.v1.chat_service_pb2 import ProviderModels
from llm_observe.v1.error_reason_pb2 import ErrorReason

from server.rpc.errors import ProviderFailed, ProviderNotConfigured, ProviderUnknown

if TYPE_CHECKING:
    from server.settings import ProviderSettings

_VENDORS: Final = ("openai", "anthropic", "gemini")
_DEMO: Final = "demo"
_DEMO_MODEL: Final = "demo-echo"
_TOO_LONG: Final = (
    "context_length_exceeded",
    "maximum context length",
    "prompt is too long",
    "exceeds the maximum number of tokens",
)
"""Phrases of the vendors' errors for a conversation that exceeds the model's context."""
_BY_STATUS: Final = {
    400: ErrorReason.ERROR_REASON_PROVIDER_REJECTED,
    401: ErrorReason.ERROR_REASON_PROVIDER_UNAUTHENTICATED,
    403: ErrorReason.ERROR_REASON_PROVIDER_UNAUTHENTICATED,
    404: ErrorReason.ERROR_REASON_PROVIDER_REJECTED,
    408: ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
    413: ErrorReason.ERROR_REASON_CONTEXT_TOO_LONG,
    422: ErrorReason.ERROR_REASON_PROVIDER_REJECTED,
    429: ErrorReason.ERROR_REASON_PROVIDER_RATE_LIMITED,
    504: ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
}
_BY_TYPE: Final = {
    "rate_limit_error": ErrorReason.ERROR_REASON_PROVIDER_RATE_LIMITED,
    "authentication_error": ErrorReason.ERROR_REASON_PROVIDER_UNAUTHENTICATED,
    "permission_error": ErrorReason.ERROR_REASON_PROVIDER_UNAUTHENTICATED,
    "invalid_request_error": ErrorReason.ERROR_REASON_PROVIDER_REJECTED,
    "timeout_error": ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
}
"""Anthropic's types of errors that come in the middle of a stream, under HTTP status 200."""


class _Vendor(NamedTuple):
    api_key: str
    base_url: str
    models: list[str]

    @property
    def configured(self) -> bool:
        # A compatible server may need no key.
        return bool(self.api_key or self.base_url)


class Providers:
    """One client for each provider, made at its first use."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._vendors = {name: _read(settings, name) for name in _VENDORS}
        self._clients: dict[str, LLMClient] = {}

    def list_models(self) -> list[ProviderModels]:
        """Return every provider, whether it is configured, and the models to offer."""
        vendors = [
            ProviderModels(
                provider=name,
                configured=vendor.configured,
                models=vendor.models,
                required_setting=_key_setting(name),
            )
            for name, vendor in self._vendors.items()
        ]
        return [*vendors, ProviderModels(provider=_DEMO, configured=True, models=[_DEMO_MODEL])]

    def check(self, provider: str) -> None:
        """Check that a provider can be called.

        Raises:
            ProviderUnknown: There is no such provider.
            ProviderNotConfigured: It has no key.
        """
        if provider == _DEMO:
            return
        if provider not in self._vendors:
            raise ProviderUnknown
        if not self._vendors[provider].configured:
            raise ProviderNotConfigured(provider, _key_setting(provider))

    def offered_model(self, provider: str, model: str) -> str:
        """Return the model that is called, if the settings offer it; else an empty text."""
        vendor = self._vendors.get(provider)
        offered = [_DEMO_MODEL] if vendor is None else vendor.models
        return model if model in offered else "" if model else next(iter(offered), "")

    def client(self, provider: str) -> LLMClient:
        """Return the client of a provider that check() accepts."""
        if provider not in self._clients:
            self._clients[provider] = self._make(provider)
        return self._clients[provider]

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _make(self, provider: str) -> LLMClient:
        if provider == _DEMO:
            return LLMClient(_DEMO)
        vendor = self._vendors[provider]
        return LLMClient(
            provider,
            next(iter(vendor.models), None),
            # The vendors' clients refuse an empty key.
            api_key=vendor.api_key or "none",
            base_url=vendor.base_url or None,
        )


def _read(settings: ProviderSettings, name: str) -> _Vendor:
    models = str(getattr(settings, f"{name}_models")).split(",")
    return _Vendor(
        getattr(settings, f"{name}_api_key").get_secret_value(),
        getattr(settings, f"{name}_base_url"),
        [model.strip() for model in models if model.strip()],
    )


def _key_setting(provider: str) -> str:
    return f"{provider.upper()}_API_KEY"


def to_provider_error(error: Exception, *, provider: str, log_id: str) -> ProviderFailed:
    """Return the error that a client of ours sees; it has none of the vendor's text."""
    return ProviderFailed(_reason_of(error), provider=provider, log_id=log_id)


def _reason_of(error: Exception) -> ErrorReason.ValueType:
    # Gemini's errors carry the HTTP status as their code, the others as status_code.
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    text = f"{getattr(error, 'code', '')} {error}".lower()
    if any(phrase in text for phrase in _TOO_LONG):
        return ErrorReason.ERROR_REASON_CONTEXT_TOO_LONG
    error_type = _type_in_stream(error)
    if error_type in _BY_TYPE:
        return _BY_TYPE[error_type]
    if isinstance(status, int):
        return _BY_STATUS.get(status, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
    if "Timeout" in type(error).__name__:
        return ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT
    return ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE


def _type_in_stream(error: Exception) -> str:
    """Return the vendor's type of an error in the middle of a stream; empty for any other error."""
    body: Any = getattr(error, "body", None)
    if getattr(error, "status_code", None) != 200 or not isinstance(body, dict):  # noqa: PLR2004 - HTTP OK
        return ""
    inner = body.get("error")
    return str(inner.get("type", "")) if isinstance(inner, dict) else ""
