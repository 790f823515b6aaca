"""Strands' agents."""

from __future__ import annotations

from typing import Any

from exporting import make_provider
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main, weather
from strands import Agent, tool
from strands.models.openai import OpenAIModel

make_provider()


def agent(model: str, **more: Any) -> Any:
    options = {"base_url": OPENAI_URL, "api_key": KEY, "max_retries": 0}
    return Agent(model=OpenAIModel(client_args=options, model_id=model), callback_handler=None, **more)


main({
    "stream": lambda model: agent(model)(QUESTION),
    "tool": lambda model: agent(model, tools=[tool(weather)])(QUESTION),
    "error": lambda model: expect_error(lambda: agent(model)(QUESTION)),
})  # fmt: skip
