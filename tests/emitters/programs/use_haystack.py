"""OpenInference over Haystack."""

from __future__ import annotations

from typing import Any

from exporting import make_provider
from haystack import Pipeline
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret
from openinference.instrumentation.haystack import HaystackInstrumentor
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main

HaystackInstrumentor().instrument(tracer_provider=make_provider())


def run(model: str, **more: Any) -> Any:
    pipeline = Pipeline()
    key = Secret.from_token(KEY)
    chat = OpenAIChatGenerator(api_key=key, model=model, api_base_url=OPENAI_URL, max_retries=0, **more)
    pipeline.add_component("llm", chat)
    return pipeline.run({"llm": {"messages": [ChatMessage.from_user(QUESTION)]}})


main({
    "plain": run,
    "stream": lambda model: run(
        model,
        streaming_callback=lambda chunk: None,
        generation_kwargs={"stream_options": {"include_usage": True}},
    ),
    "error": lambda model: expect_error(lambda: run(model)),
})  # fmt: skip
