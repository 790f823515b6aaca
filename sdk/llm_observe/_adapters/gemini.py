"""Gemini, by google-genai."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llm_observe._adapters.base import VendorAdapter, given

if TYPE_CHECKING:
    from llm_observe._adapters.base import ChatParameters, Messages

_ROLES: Final = {"assistant": "model"}


class GeminiAdapter(VendorAdapter):
    """generate_content: the model's turns are called ``model``, the system prompt is an instruction."""

    default_model = "gemini-3.8-flash"

    def _make(self, *, asynchronous: bool) -> Any:
        from google import genai  # noqa: PLC0415 - an optional extra
        from google.genai.types import HttpOptions  # noqa: PLC0415 - as above

        options = HttpOptions(base_url=self._base_url) if self._base_url else None
        client = genai.Client(api_key=self._api_key, http_options=options)
        return client.aio if asynchronous else client

    def _open(self, client: Any, model: str, messages: Messages, parameters: ChatParameters) -> Any:
        system = "\n\n".join(turn["content"] for turn in messages if turn["role"] == "system")
        config = given(
            system_instruction=system or None,
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            max_output_tokens=parameters.max_output_tokens,
            stop_sequences=list(parameters.stop_sequences) or None,
        )
        contents = [
            {"role": _ROLES.get(turn["role"], turn["role"]), "parts": [{"text": turn["content"]}]}
            for turn in messages
            if turn["role"] != "system"
        ]
        return client.models.generate_content_stream(model=model, contents=contents, config=config)

    def _text(self, chunk: Any) -> str | None:
        # Not chunk.text, which warns of parts that are no text.
        candidates = chunk.candidates or ()
        parts = (candidates[0].content.parts if candidates and candidates[0].content else None) or ()
        return "".join(part.text for part in parts if part.text and not part.thought)


make = GeminiAdapter
