"""Anthropic's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llm_observe._adapters.base import VendorAdapter, given
from llm_observe._adapters.parsed import reading_plainly

if TYPE_CHECKING:
    from llm_observe._adapters.base import ChatParameters, Messages

_MAX_OUTPUT_TOKENS: Final = 4096
"""Anthropic wants a limit with every request; this is ours where the caller names none."""


class AnthropicAdapter(VendorAdapter):
    """Messages: the system prompt stands beside them, not among them."""

    default_model = "claude-sonnet-5-5"

    def _make(self, *, asynchronous: bool) -> Any:
        import anthropic  # noqa: PLC0415 - an optional extra

        kind = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
        return reading_plainly(kind)(api_key=self._api_key, base_url=self._base_url)

    def _open(self, client: Any, model: str, messages: Messages, parameters: ChatParameters) -> Any:
        system = "\n\n".join(turn["content"] for turn in messages if turn["role"] == "system")
        chosen = given(
            system=system or None,
            stop_sequences=list(parameters.stop_sequences) or None,
        )
        return client.messages.create(
            model=model,
            messages=[turn for turn in messages if turn["role"] != "system"],
            max_tokens=parameters.max_output_tokens or _MAX_OUTPUT_TOKENS,
            stream=True,
            # The client has no arguments for these any more; the API takes them for models that know them.
            extra_body=given(temperature=parameters.temperature, top_p=parameters.top_p),
            **chosen,
        )

    def _text(self, chunk: Any) -> str | None:
        return getattr(chunk.delta, "text", None) if chunk.type == "content_block_delta" else None


make = AnthropicAdapter
