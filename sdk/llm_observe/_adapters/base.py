"""What LLMClient needs of a provider: an answer as pieces of text, recorded through the taps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    Messages = list[dict[str, str]]


class ChatParameters(NamedTuple):
    """How the model is to answer; None leaves it to the provider."""

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()


class Adapter(Protocol):
    """One provider. Closing an iterator stops the provider's stream."""

    default_model: str

    def stream(self, model: str, messages: Messages, parameters: ChatParameters) -> Iterator[str]:
        """Yield the answer's text as it comes."""

    def astream(self, model: str, messages: Messages, parameters: ChatParameters) -> AsyncIterator[str]:
        """As stream(), asynchronously."""

    def close(self) -> None:
        """Let go of the synchronous connections."""

    async def aclose(self) -> None:
        """Let go of the asynchronous connections."""


class VendorAdapter(ABC):
    """An adapter over a vendor's own client, which is made and wrapped with the first call."""

    default_model: str

    def __init__(self, *, api_key: str | None, base_url: str | None) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._sync: Any = None
        self._async: Any = None

    @abstractmethod
    def _make(self, *, asynchronous: bool) -> Any:
        """Return the vendor's client."""

    @abstractmethod
    def _open(self, client: Any, model: str, messages: Messages, parameters: ChatParameters) -> Any:
        """Return the vendor's stream; with the asynchronous client, an awaitable of it."""

    @abstractmethod
    def _text(self, chunk: Any) -> str | None:
        """Return the text that one event of the stream carries."""

    def stream(self, model: str, messages: Messages, parameters: ChatParameters) -> Iterator[str]:
        """Yield the answer's text as it comes."""
        if self._sync is None:
            self._sync = _wrapped(self._make(asynchronous=False))
        with closing(self._open(self._sync, model, messages, parameters)) as chunks:
            for chunk in chunks:
                if text := self._text(chunk):
                    yield text

    async def astream(self, model: str, messages: Messages, parameters: ChatParameters) -> AsyncIterator[str]:
        """As stream(), asynchronously."""
        if self._async is None:
            self._async = _wrapped(self._make(asynchronous=True))
        chunks = await self._open(self._async, model, messages, parameters)
        try:
            async for chunk in chunks:
                if text := self._text(chunk):
                    yield text
        finally:
            # A vendor's stream calls it close(), a generator aclose().
            await (chunks.aclose if hasattr(chunks, "aclose") else chunks.close)()

    def close(self) -> None:
        """Let go of the synchronous connections."""
        client, self._sync = self._sync, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Let go of the asynchronous connections."""
        client, self._async = self._async, None
        if client is not None:
            await (client.aclose if hasattr(client, "aclose") else client.close)()


def _wrapped(client: Any) -> Any:
    from llm_observe._wrap import wrap_client  # noqa: PLC0415 - an adapter that is never called loads no taps

    return wrap_client(client)


def given(**settings: Any) -> dict[str, Any]:
    """Return the settings that are not None: what is left out stays the provider's own choice."""
    return {name: value for name, value in settings.items() if value is not None}
