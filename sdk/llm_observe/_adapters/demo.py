"""A built-in fake model, so that everything can be tried without a key."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from llm_observe._call import CANCELLED, Call
from llm_observe._runtime import submit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llm_observe._adapters.base import ChatParameters, MessageList


class DemoAdapter:
    """Answers with a fixed text that says it is a demo. Needs no key and makes no request."""

    default_model = "demo-echo"
    _PACE_S: Final = 0.02

    def __init__(self, *, api_key: str | None, base_url: str | None) -> None:
        del api_key, base_url  # no request is made

    @staticmethod
    def _words(messages: MessageList) -> list[str]:
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
    def _begin(model: str, messages: MessageList) -> Call:
        call = Call("demo", "chat", model, submit)
        call.streamed = True
        call.response_model = model
        call.input_text = (messages[-1]["content"],) if messages else ()
        call.input_tokens = sum(len(message["content"].split()) for message in messages)
        return call

    @staticmethod
    def _note(call: Call, words: list[str], index: int, parameters: ChatParameters) -> bool:
        """Record one word; return whether it was the last."""
        call.note_first_token()
        call.add_output(words[index])
        call.output_tokens = index + 1
        call.total_tokens = (call.input_tokens or 0) + index + 1
        limit = parameters.max_output_tokens or len(words)
        last = index + 1 >= min(limit, len(words))
        if last:
            call.finish_reason = "length" if limit < len(words) else "stop"
        return last

    def stream(self, model: str, messages: MessageList, parameters: ChatParameters) -> Iterator[str]:
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

    async def astream(
        self, model: str, messages: MessageList, parameters: ChatParameters
    ) -> AsyncIterator[str]:
        """Like stream(), asynchronously."""
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
        """Do nothing: there is no connection."""

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


make = DemoAdapter
