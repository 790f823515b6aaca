"""What LLMClient needs of a provider: an answer as pieces of text, recorded through the taps."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from llm_observe._call import CANCELLED, Call
from llm_observe._runtime import submit

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


def make_adapter(provider: str, *, api_key: str | None, base_url: str | None) -> Adapter:
    """Return the adapter of a provider.

    Raises:
        ValueError: The provider is unknown.
    """
    if provider == "demo":
        return DemoAdapter()
    if provider == "openai":
        return OpenAIAdapter(api_key=api_key, base_url=base_url)
    raise ValueError("provider must be 'openai' or 'demo'")


class OpenAIAdapter:
    """OpenAI, and every server that speaks its chat completions."""

    default_model = "gpt-4o-mini"

    def __init__(self, *, api_key: str | None, base_url: str | None) -> None:
        self._settings = {"api_key": api_key, "base_url": base_url}
        self._clients: dict[str, Any] = {}

    def _client(self, kind: str) -> Any:
        """Make and wrap the vendor's client with the first use."""
        if kind not in self._clients:
            import openai  # noqa: PLC0415 - an optional extra

            from llm_observe._wrap import wrap_client  # noqa: PLC0415 - _wrap needs no adapter

            self._clients[kind] = wrap_client(getattr(openai, kind)(**self._settings))
        return self._clients[kind]

    @staticmethod
    def _arguments(model: str, messages: Messages, parameters: ChatParameters) -> dict[str, Any]:
        chosen = {
            "temperature": parameters.temperature,
            "top_p": parameters.top_p,
            "max_completion_tokens": parameters.max_output_tokens,
            "stop": list(parameters.stop_sequences) or None,
        }
        given = {name: value for name, value in chosen.items() if value is not None}
        return {"model": model, "messages": messages, "stream": True, **given}

    def stream(self, model: str, messages: Messages, parameters: ChatParameters) -> Iterator[str]:
        """Yield the answer's text as it comes."""
        create = self._client("OpenAI").chat.completions.create
        with closing(create(**self._arguments(model, messages, parameters))) as chunks:
            for chunk in chunks:
                if chunk.choices and (text := chunk.choices[0].delta.content):
                    yield text

    async def astream(self, model: str, messages: Messages, parameters: ChatParameters) -> AsyncIterator[str]:
        """As stream(), asynchronously."""
        create = self._client("AsyncOpenAI").chat.completions.create
        async with aclosing(await create(**self._arguments(model, messages, parameters))) as chunks:
            async for chunk in chunks:
                if chunk.choices and (text := chunk.choices[0].delta.content):
                    yield text

    def close(self) -> None:
        """Let go of the synchronous connections."""
        client = self._clients.pop("OpenAI", None)
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Let go of the asynchronous connections."""
        client = self._clients.pop("AsyncOpenAI", None)
        if client is not None:
            await client.close()


class DemoAdapter:
    """A built-in stand-in, plainly labelled: it needs no key and calls nobody."""

    default_model = "demo-echo"
    _PACE_S: Final = 0.02

    @staticmethod
    def _words(messages: Messages) -> list[str]:
        question = messages[-1]["content"] if messages else ""
        words = len(question.split())
        answer = (
            "This is the built-in **demo** model: no provider was called. "
            f"You sent {words} word{'' if words == 1 else 's'} in a conversation of {len(messages)} "
            f"message{'' if len(messages) == 1 else 's'}. Set `OPENAI_API_KEY` (and `OPENAI_BASE_URL` "
            "for any compatible server) and choose another provider to talk to a real model."
        )
        return [f"{word} " for word in answer.split(" ")]

    @staticmethod
    def _begin(model: str, messages: Messages) -> Call:
        call = Call("demo", "chat", model, submit)
        call.streamed = True
        call.response_model = model
        call.input_text = (messages[-1]["content"],) if messages else ()
        call.input_tokens = sum(len(message["content"].split()) for message in messages)
        return call

    @staticmethod
    def _note(call: Call, words: list[str], index: int, parameters: ChatParameters) -> bool:
        """Note one word; True when it was the last."""
        call.note_first_token()
        call.add_output(words[index])
        call.output_tokens = index + 1
        call.total_tokens = (call.input_tokens or 0) + index + 1
        limit = parameters.max_output_tokens or len(words)
        last = index + 1 >= min(limit, len(words))
        if last:
            call.finish_reason = "length" if limit < len(words) else "stop"
        return last

    def stream(self, model: str, messages: Messages, parameters: ChatParameters) -> Iterator[str]:
        """Yield the answer word by word."""
        call, words = self._begin(model, messages), self._words(messages)
        try:
            for index, word in enumerate(words):
                time.sleep(self._PACE_S)
                last = self._note(call, words, index, parameters)
                yield word
                if last:
                    break
            call.finish()
        finally:
            call.finish(CANCELLED)

    async def astream(self, model: str, messages: Messages, parameters: ChatParameters) -> AsyncIterator[str]:
        """As stream(), asynchronously."""
        call, words = self._begin(model, messages), self._words(messages)
        try:
            for index, word in enumerate(words):
                await asyncio.sleep(self._PACE_S)
                last = self._note(call, words, index, parameters)
                yield word
                if last:
                    break
            call.finish()
        finally:
            call.finish(CANCELLED)

    def close(self) -> None:
        """Nothing is held."""

    async def aclose(self) -> None:
        """Nothing is held."""
