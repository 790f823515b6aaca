"""What a program does with OpenAI's client."""

from __future__ import annotations

import json
from typing import Any

from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, weather

MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]
WITH_USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Returns the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def calls(client_class: Any, async_client_class: Any) -> dict[str, Any]:
    """Return the scenarios, of one of the client's classes: some emitters have their own."""
    options = {"base_url": OPENAI_URL, "api_key": KEY, "max_retries": 0}
    client, later = client_class(**options), async_client_class(**options)

    def create(model: str, **more: Any) -> Any:
        return client.chat.completions.create(model=model, **{"messages": MESSAGES, **more})

    def call_tool(model: str) -> None:
        asked = create(model, tools=[TOOL]).choices[0].message
        (call,) = asked.tool_calls
        result = weather(**json.loads(call.function.arguments))
        told = {"role": "tool", "tool_call_id": call.id, "content": result}
        create(model, tools=[TOOL], messages=[*MESSAGES, asked.model_dump(exclude_none=True), told])

    async def ask(model: str) -> None:
        await later.chat.completions.create(model=model, messages=MESSAGES)
        stream = await later.chat.completions.create(model=model, messages=MESSAGES, **WITH_USAGE)
        async for _ in stream:
            pass

    return {
        "plain": create,
        "stream": lambda model: list(create(model, **WITH_USAGE)),
        "tool": call_tool,
        "async": ask,
        "error": lambda model: expect_error(lambda: create(model)),
    }
