"""Gemini, through google-genai."""

from __future__ import annotations

import copy
import functools
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from llm_observe._adapters.base import VendorAdapter, omit_none
from llm_observe._providers.fields import snake_case, to_json_objects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_observe._adapters.base import ChatParameters, MessageList
    from llm_observe._vendor import VendorClass, VendorObject

_ROLES: Final = {"assistant": "model"}
_NO_REDIRECTS: Final = {"follow_redirects": False}


class GeminiAdapter(VendorAdapter):
    """generate_content. The assistant's role is called ``model``, the system prompt is an instruction."""

    default_model = "gemini-3.8-flash"

    def _make(self, *, asynchronous: bool) -> VendorObject:
        from google import genai  # noqa: PLC0415 - an optional extra
        from google.genai.types import HttpOptions  # noqa: PLC0415 - as above

        options = HttpOptions(
            base_url=self._base_url or None,
            client_args=_NO_REDIRECTS,
            async_client_args={**_NO_REDIRECTS, "allow_redirects": False},  # the latter is aiohttp's name
        )
        client = genai.Client(api_key=self._api_key, http_options=options)
        if not asynchronous:
            return client
        models: VendorObject = client.aio.models
        models_class: VendorClass = type(models)
        models.__class__ = _with_raw_events(models_class)
        return client.aio

    def _open(
        self, client: VendorObject, model: str, messages: MessageList, parameters: ChatParameters
    ) -> VendorObject:
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        config = omit_none(
            system_instruction=system or None,
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            max_output_tokens=parameters.max_output_tokens,
            stop_sequences=list(parameters.stop_sequences) or None,
        )
        contents = [
            {"role": _ROLES.get(message["role"], message["role"]), "parts": [{"text": message["content"]}]}
            for message in messages
            if message["role"] != "system"
        ]
        return client.models.generate_content_stream(model=model, contents=contents, config=config)

    def _text(self, chunk: VendorObject) -> str | None:
        # Not chunk.text, which warns about parts that are not text.
        candidates = chunk.candidates or ()
        parts = (candidates[0].content.parts if candidates and candidates[0].content else None) or ()
        return "".join(part.text for part in parts if part.text and not part.thought)


class _Connection:
    """Wraps the vendor's API client and keeps the response to its one request."""

    def __init__(self, api_client: VendorObject) -> None:
        self._api_client = api_client
        self.response: VendorObject = None

    def __getattr__(self, name: str) -> VendorObject:
        return getattr(self._api_client, name)

    async def async_request_streamed(self, *args: object) -> VendorObject:
        return await type(self._api_client).async_request_streamed(self, *args)

    async def _async_request(self, **options: object) -> VendorObject:
        self.response = await self._api_client._async_request(**options)  # noqa: SLF001 - see _with_raw_events()
        return self.response


@functools.cache
def _with_raw_events(models_class: VendorClass) -> VendorClass:
    """Return a subclass of the asynchronous ``models`` class whose streams yield JsonObjects.

    The vendor's code makes the request. Its generator of models is never iterated, so it builds none. A
    client of another version may not use our connection: its chunks are then the vendor's models, which
    the readers accept as well.
    """

    async def stream(self: VendorObject, **options: object) -> VendorObject:
        models = copy.copy(self)
        models._api_client = connection = _Connection(self._api_client)  # noqa: SLF001 - see above
        chunks = await models_class._generate_content_stream(models, **options)  # noqa: SLF001 - as above
        return chunks if connection.response is None else _read(connection.response)

    members = {"_generate_content_stream": stream, "__module__": models_class.__module__}
    return type(models_class.__name__, (models_class,), members)


async def _read(response: VendorObject) -> AsyncIterator[VendorObject]:
    from google.genai.errors import APIError  # noqa: PLC0415 - an optional extra

    async with aclosing(response.async_segments()) as chunks:
        async for chunk in chunks:
            if "error" in chunk:
                await APIError.raise_error_async(chunk["error"].get("code", 0), chunk, response)
            yield to_json_objects(chunk, snake_case)


make = GeminiAdapter
