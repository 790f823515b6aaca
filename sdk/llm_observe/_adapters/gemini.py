"""Gemini, by google-genai."""

from __future__ import annotations

import copy
import functools
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from llm_observe._adapters.base import VendorAdapter, given
from llm_observe._adapters.parsed import parsed, snake_case

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
        if not asynchronous:
            return client
        models: Any = client.aio.models
        kind: Any = type(models)
        models.__class__ = _reading_plainly(kind)
        return client.aio

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


class _Connection:
    """The connection of a client, which keeps the response that it was asked for."""

    def __init__(self, api_client: Any) -> None:
        self._api_client = api_client
        self.response: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api_client, name)

    async def async_request_streamed(self, *args: Any) -> Any:
        return await type(self._api_client).async_request_streamed(self, *args)

    async def _async_request(self, **options: Any) -> Any:
        self.response = await self._api_client._async_request(**options)  # noqa: SLF001 - see _reading_plainly()
        return self.response


@functools.cache
def _reading_plainly(kind: Any) -> Any:
    """Return a subclass of the class of asynchronous ``models`` whose streams yield Parsed pieces.

    The request is the vendor's own; of what it would make of each answer nothing runs, for it is never asked
    for a piece. Should another version go other ways, its pieces are the vendor's models, and all the same to
    their readers.
    """

    async def stream(self: Any, **options: Any) -> Any:
        asking = copy.copy(self)
        asking._api_client = connection = _Connection(self._api_client)  # noqa: SLF001 - see above
        pieces = await kind._generate_content_stream(asking, **options)  # noqa: SLF001 - as above
        return pieces if connection.response is None else _read(connection.response)

    members = {"_generate_content_stream": stream, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), members)


async def _read(response: Any) -> AsyncIterator[Any]:
    from google.genai.errors import APIError  # noqa: PLC0415 - an optional extra

    async with aclosing(response.async_segments()) as pieces:
        async for piece in pieces:
            if "error" in piece:
                await APIError.raise_error_async(piece["error"].get("code", 0), piece, response)
            yield parsed(piece, snake_case)


make = GeminiAdapter
