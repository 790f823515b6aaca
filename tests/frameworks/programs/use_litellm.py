"""LiteLLM, which calls OpenAI by its client, and other vendors by HTTP of its own."""

from __future__ import annotations

from typing import Any

import litellm
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def options(model: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": QUESTION}]
    return {
        "model": f"openai/{model}",
        "api_base": OPENAI_URL,
        "api_key": KEY,
        "messages": messages,
        "max_retries": 0,
    }


def call_tool(model: str) -> None:
    answer = litellm.completion(**options(model), tools=[TOOL])
    assert answer.choices[0].message.tool_calls


STREAM: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
"""LiteLLM reads the bytes of answers itself: we ask for no usage there."""


async def ask(model: str) -> None:
    await litellm.acompletion(**options(model))
    async for _ in await litellm.acompletion(**options(model), **STREAM):
        pass


main({
    "plain": lambda model: litellm.completion(**options(model)),
    "stream": lambda model: list(litellm.completion(**options(model), **STREAM)),
    "tool": call_tool,
    "async": ask,
    "error": lambda model: expect_error(lambda: litellm.completion(**options(model))),
})  # fmt: skip
