"""OpenAI, and every server that speaks its chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_observe._adapters.base import VendorAdapter, given
from llm_observe._adapters.parsed import reading_plainly

if TYPE_CHECKING:
    from llm_observe._adapters.base import ChatParameters, Messages


class OpenAIAdapter(VendorAdapter):
    """Chat completions."""

    default_model = "gpt-4o-mini"

    def _make(self, *, asynchronous: bool) -> Any:
        import openai  # noqa: PLC0415 - an optional extra

        kind = openai.AsyncOpenAI if asynchronous else openai.OpenAI
        return reading_plainly(kind)(api_key=self._api_key, base_url=self._base_url)

    def _open(self, client: Any, model: str, messages: Messages, parameters: ChatParameters) -> Any:
        chosen = given(
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            max_completion_tokens=parameters.max_output_tokens,
            stop=list(parameters.stop_sequences) or None,
        )
        return client.chat.completions.create(model=model, messages=messages, stream=True, **chosen)

    def _text(self, chunk: Any) -> str | None:
        return chunk.choices[0].delta.content if chunk.choices else None


make = OpenAIAdapter
