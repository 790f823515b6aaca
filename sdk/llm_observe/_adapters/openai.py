"""OpenAI, and every server that speaks its chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe._adapters.base import VendorAdapter, omit_none, refuse_redirects
from llm_observe._adapters.raw_events import with_raw_events
from llm_observe._runtime import get_runtime

if TYPE_CHECKING:
    from llm_observe._adapters.base import ChatParameters, MessageList
    from llm_observe._vendor import VendorObject


class OpenAIAdapter(VendorAdapter):
    """Chat completions."""

    default_model = "gpt-4o-mini"

    def _make(self, *, asynchronous: bool) -> VendorObject:
        import openai  # noqa: PLC0415 - an optional extra

        client_class = openai.AsyncOpenAI if asynchronous else openai.OpenAI
        client = with_raw_events(client_class)(api_key=self._api_key, base_url=self._base_url)
        return refuse_redirects(client)

    def _open(
        self, client: VendorObject, model: str, messages: MessageList, parameters: ChatParameters
    ) -> VendorObject:
        settings = omit_none(
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            max_completion_tokens=parameters.max_output_tokens,
            stop=list(parameters.stop_sequences) or None,
        )
        if get_runtime().config.request_stream_usage is not False:
            settings["stream_options"] = {"include_usage": True}
        return client.chat.completions.create(model=model, messages=messages, stream=True, **settings)

    def _text(self, chunk: VendorObject) -> str | None:
        return chunk.choices[0].delta.content if chunk.choices else None


make = OpenAIAdapter
