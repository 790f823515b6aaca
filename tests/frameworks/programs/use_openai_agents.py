"""The OpenAI Agents SDK, with Responses and with chat completions."""

from __future__ import annotations

from typing import Any

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main, weather

set_tracing_disabled(True)


def agent(model: str, kind: Any, **options: Any) -> Any:
    client = AsyncOpenAI(base_url=OPENAI_URL, api_key=KEY, max_retries=0)
    return Agent(name="helper", model=kind(model=model, openai_client=client), **options)


async def stream(helper: Any) -> None:
    async for _ in Runner.run_streamed(helper, QUESTION).stream_events():
        pass


async def ask(helper: Any) -> None:
    await Runner.run(helper, QUESTION)


def of(kind: Any, prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}plain": lambda model: Runner.run_sync(agent(model, kind), QUESTION),
        f"{prefix}stream": lambda model: stream(agent(model, kind)),
        f"{prefix}tool": lambda model: Runner.run_sync(
            agent(model, kind, tools=[function_tool(weather)]), QUESTION
        ),
        f"{prefix}async": lambda model: ask(agent(model, kind)),
        f"{prefix}error": lambda model: expect_error(lambda: ask(agent(model, kind))),
    }


main({**of(OpenAIResponsesModel, "responses-"), **of(OpenAIChatCompletionsModel)})
