"""Anthropic's Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._adapters.base import VendorAdapter, omit_none, refuse_redirects
from llm_observe._adapters.raw_events import with_raw_events

if TYPE_CHECKING:
    from llm_observe._adapters.base import ChatParameters, MessageList
    from llm_observe._vendor import VendorObject

_MAX_OUTPUT_TOKENS: Final = 4096
"""Anthropic requires a limit with every request; this is our default."""


class AnthropicAdapter(VendorAdapter):
    """Messages. The system prompt is a parameter of its own, not one of the messages."""

    default_model = "claude-sonnet-5-5"

    def _make(self, *, asynchronous: bool) -> VendorObject:
        import anthropic  # noqa: PLC0415 - an optional extra

        client_class = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
        client = with_raw_events(client_class)(api_key=self._api_key, base_url=self._base_url)
        return refuse_redirects(client)

    def _open(
        self, client: VendorObject, model: str, messages: MessageList, parameters: ChatParameters
    ) -> VendorObject:
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        settings = omit_none(
            system=system or None,
            stop_sequences=list(parameters.stop_sequences) or None,
        )
        return client.messages.create(
            model=model,
            messages=[message for message in messages if message["role"] != "system"],
            max_tokens=parameters.max_output_tokens or _MAX_OUTPUT_TOKENS,
            stream=True,
            # The client no longer has arguments for these; the API still accepts them for some models.
            extra_body=omit_none(temperature=parameters.temperature, top_p=parameters.top_p),
            **settings,
        )

    def _text(self, chunk: VendorObject) -> str | None:
        return getattr(chunk.delta, "text", None) if chunk.type == "content_block_delta" else None


make = AnthropicAdapter
