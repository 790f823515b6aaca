"""OpenInference over smolagents."""

from __future__ import annotations

from typing import Any

from exporting import make_provider
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main
from smolagents import OpenAIServerModel

SmolagentsInstrumentor().instrument(tracer_provider=make_provider())
MESSAGES: list[Any] = [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]


def chat(model: str) -> Any:
    options = {"max_retries": 0}
    return OpenAIServerModel(model_id=model, api_base=OPENAI_URL, api_key=KEY, client_kwargs=options)


main({
    "plain": lambda model: chat(model).generate(MESSAGES),
    "error": lambda model: expect_error(lambda: chat(model).generate(MESSAGES)),
})  # fmt: skip
