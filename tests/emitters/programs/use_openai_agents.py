"""OpenInference over the OpenAI Agents SDK."""

from __future__ import annotations

from typing import Any

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
from exporting import make_provider
from openai import AsyncOpenAI
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main, weather

OpenAIAgentsInstrumentor().instrument(tracer_provider=make_provider())


def agent(model: str, kind: Any = OpenAIResponsesModel, **more: Any) -> Any:
    client = AsyncOpenAI(base_url=OPENAI_URL, api_key=KEY, max_retries=0)
    return Agent(name="helper", model=kind(model=model, openai_client=client), **more)


async def run(helper: Any) -> None:
    await Runner.run(helper, QUESTION)


async def stream(helper: Any) -> None:
    async for _ in Runner.run_streamed(helper, QUESTION).stream_events():
        pass


main({
    "plain": lambda model: run(agent(model)),
    "stream": lambda model: stream(agent(model)),
    "tool": lambda model: run(agent(model, tools=[function_tool(weather)])),
    "chat-plain": lambda model: run(agent(model, OpenAIChatCompletionsModel)),
    "error": lambda model: expect_error(lambda: run(agent(model))),
})  # fmt: skip
