"""DSPy, by its LiteLLM engine. Its own engine makes HTTP requests without a vendor's client."""

from __future__ import annotations

from typing import Any

import dspy
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main, weather


def lm(model: str, **options: Any) -> Any:
    client = {"engine": "litellm", "api_base": OPENAI_URL, "api_key": KEY, "cache": False, "num_retries": 0}
    return dspy.LM(f"openai/{model}", **client, **options)


def predict(model: str) -> None:
    with dspy.context(lm=lm(model)):
        assert dspy.Predict("question -> answer")(question=QUESTION).answer


async def stream(model: str) -> None:
    with dspy.context(lm=lm(model, stream_options={"include_usage": True})):
        listeners = [dspy.streaming.StreamListener(signature_field_name="answer")]
        program = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=listeners)
        async for _ in program(question=QUESTION):
            pass


async def ask(model: str) -> None:
    with dspy.context(lm=lm(model)):
        await dspy.Predict("question -> answer").acall(question=QUESTION)


def call_tool(model: str) -> None:
    tools = [{"type": "function", "function": {"name": weather.__name__, "parameters": {"type": "object"}}}]
    assert lm(model)(QUESTION, tools=tools)


main({
    "plain-fields": predict,
    "stream-fields": stream,
    "async-fields": ask,
    "tool": call_tool,
    "error": lambda model: expect_error(lambda: lm(model)(QUESTION)),
})  # fmt: skip
