"""OpenInference over LlamaIndex."""

from __future__ import annotations

from typing import Any

from exporting import make_provider
from llama_index.core.llms import ChatMessage, LLMMetadata
from llama_index.llms.openai import OpenAI
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main

LlamaIndexInstrumentor().instrument(tracer_provider=make_provider())
MESSAGES = [ChatMessage(role="user", content=QUESTION)]
USAGE = {"stream_options": {"include_usage": True}}


class AnyModel(OpenAI):
    """Accepts models that LlamaIndex does not know."""

    @property
    def metadata(self) -> Any:
        return LLMMetadata(is_chat_model=True, model_name=self.model)


def llm(model: str, **more: Any) -> Any:
    return AnyModel(model=model, api_base=OPENAI_URL, api_key=KEY, max_retries=0, **more)


async def ask(model: str) -> None:
    await llm(model).achat(MESSAGES)


main({
    "plain": lambda model: llm(model).chat(MESSAGES),
    "stream": lambda model: list(llm(model, additional_kwargs=USAGE).stream_chat(MESSAGES)),
    "async": ask,
    "error": lambda model: expect_error(lambda: llm(model).chat(MESSAGES)),
})  # fmt: skip
