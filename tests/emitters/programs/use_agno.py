"""OpenInference over Agno."""

from __future__ import annotations

from typing import Any

from agno.agent import Agent
from agno.models.openai import OpenAIChat
from exporting import make_provider
from openinference.instrumentation.agno import AgnoInstrumentor
from scenarios import KEY, OPENAI_URL, QUESTION, main, weather

AgnoInstrumentor().instrument(tracer_provider=make_provider())


def agent(model: str, **more: Any) -> Any:
    return Agent(model=OpenAIChat(id=model, base_url=OPENAI_URL, api_key=KEY), telemetry=False, **more)


main({
    "plain": lambda model: agent(model).run(QUESTION),
    "stream": lambda model: list(agent(model).run(QUESTION, stream=True)),
    "tool": lambda model: agent(model, tools=[weather]).run(QUESTION),
})  # fmt: skip
