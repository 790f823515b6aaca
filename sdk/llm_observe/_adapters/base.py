"""The providers behind LLMClient: each yields an answer as chunks of text and records it through the taps."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llm_observe._vendor import VendorObject

    MessageList = list[dict[str, str]]


_MAKING: Final = threading.Lock()
"""Held by the thread that makes a client. One for all adapters, since an adapter must be copyable."""


class ChatParameters(NamedTuple):
    """How the model should answer; None leaves a parameter to the provider."""

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()


class Adapter(Protocol):
    """A provider. Closing an iterator stops the provider's stream."""

    default_model: str

    def stream(self, model: str, messages: MessageList, parameters: ChatParameters) -> Iterator[str]:
        """Yield the answer's text as it arrives."""

    def astream(self, model: str, messages: MessageList, parameters: ChatParameters) -> AsyncIterator[str]:
        """Like stream(), asynchronously."""

    def close(self) -> None:
        """Close the synchronous connections."""

    async def aclose(self) -> None:
        """Close the asynchronous connections."""


class VendorAdapter(ABC):
    """An adapter over a vendor's own client, which is made and wrapped at the first call."""

    default_model: str

    def __init__(self, *, api_key: str | None, base_url: str | None) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._sync: VendorObject = None
        self._async: VendorObject = None

    @abstractmethod
    def _make(self, *, asynchronous: bool) -> VendorObject:
        """Return the vendor's client."""

    @abstractmethod
    def _open(
        self, client: VendorObject, model: str, messages: MessageList, parameters: ChatParameters
    ) -> VendorObject:
        """Return the vendor's stream, or an awaitable of it for the asynchronous client."""

    @abstractmethod
    def _text(self, chunk: VendorObject) -> str | None:
        """Return the text of one event of the stream."""

    def stream(self, model: str, messages: MessageList, parameters: ChatParameters) -> Iterator[str]:
        """Yield the answer's text as it arrives."""
        if self._sync is None:
            self._sync = _wrapped(self._make(asynchronous=False))
        with closing(self._open(self._sync, model, messages, parameters)) as chunks:
            for chunk in chunks:
                if text := self._text(chunk):
                    yield text

    async def astream(
        self, model: str, messages: MessageList, parameters: ChatParameters
    ) -> AsyncIterator[str]:
        """Like stream(), asynchronously."""
        client = self._async
        if client is None:
            # The first call imports the vendor's package, which may take seconds.
            client = await asyncio.to_thread(self._make_async)
        chunks = await self._open(client, model, messages, parameters)
        try:
            async for chunk in chunks:
                if text := self._text(chunk):
                    yield text
        finally:
            # A vendor's stream has close(), a generator aclose().
            await (chunks.aclose if hasattr(chunks, "aclose") else chunks.close)()

    def _make_async(self) -> VendorObject:
        """Return the asynchronous client, which several first calls at once share."""
        with _MAKING:
            if self._async is None:
                self._async = _wrapped(self._make(asynchronous=True))
            return self._async

    def close(self) -> None:
        """Close the synchronous connections."""
        client, self._sync = self._sync, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Close the asynchronous connections."""
        client, self._async = self._async, None
        if client is not None:
            await (client.aclose if hasattr(client, "aclose") else client.close)()


def _wrapped(client: VendorObject) -> VendorObject:
    from llm_observe._wrap import wrap_client  # noqa: PLC0415 - loaded with the first call

    return wrap_client(client)


def refuse_redirects(client: VendorObject) -> VendorObject:
    """Have an OpenAI or Anthropic client follow no redirect: it would take prompt and key to another host."""
    http: VendorObject = getattr(client, "_client", None)
    if hasattr(http, "follow_redirects"):
        http.follow_redirects = False
    return client


def omit_none(**settings: object) -> dict[str, object]:
    """Return the settings that are not None; the provider chooses the others."""
    return {name: value for name, value in settings.items() if value is not None}
