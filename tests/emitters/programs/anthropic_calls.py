"""What a program does with Anthropic's client."""

from __future__ import annotations

from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from scenarios import BASE_URL, KEY, QUESTION, expect_error, weather

MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]
TOOL: Any = {
    "name": "weather",
    "description": "Returns the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def calls() -> dict[str, Any]:
    """Return the scenarios."""
    client = Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=0)
    later = AsyncAnthropic(base_url=BASE_URL, api_key=KEY, max_retries=0)

    def create(model: str, **more: Any) -> Any:
        return client.messages.create(model=model, max_tokens=99, **{"messages": MESSAGES, **more})

    def call_tool(model: str) -> None:
        asked = create(model, tools=[TOOL]).content
        (call,) = [block for block in asked if block.type == "tool_use"]
        told = {"type": "tool_result", "tool_use_id": call.id, "content": weather(**call.input)}
        said = [block.model_dump(exclude_none=True) for block in asked]
        messages = [*MESSAGES, {"role": "assistant", "content": said}, {"role": "user", "content": [told]}]
        create(model, tools=[TOOL], messages=messages)

    async def ask(model: str) -> None:
        await later.messages.create(model=model, max_tokens=99, messages=MESSAGES)

    return {
        "plain": create,
        "stream": lambda model: list(create(model, stream=True)),
        "tool": call_tool,
        "async": ask,
        "error": lambda model: expect_error(lambda: create(model)),
    }
