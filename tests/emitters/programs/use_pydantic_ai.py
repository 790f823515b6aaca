"""Pydantic AI with OpenAI's and Anthropic's client; the latter traces itself."""

from __future__ import annotations

from typing import Any

from exporting import make_provider
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from scenarios import BASE_URL, KEY, OPENAI_URL, QUESTION, expect_error, main, weather

make_provider()
Agent.instrument_all()


def openai(model: str) -> Any:
    return OpenAIChatModel(model, provider=OpenAIProvider(base_url=OPENAI_URL, api_key=KEY))


def anthropic(model: str) -> Any:
    return AnthropicModel(model, provider=AnthropicProvider(base_url=BASE_URL, api_key=KEY))


async def stream(model: Any) -> None:
    async with Agent(model).run_stream(QUESTION) as answer:
        async for _ in answer.stream_text():
            pass


def of(make: Any, prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}plain": lambda model: Agent(make(model)).run_sync(QUESTION),
        f"{prefix}stream": lambda model: stream(make(model)),
        f"{prefix}tool": lambda model: Agent(make(model), tools=[weather]).run_sync(QUESTION),
        f"{prefix}error": lambda model: expect_error(lambda: Agent(make(model)).run_sync(QUESTION)),
    }


main({**of(openai), **of(anthropic, "anthropic-")})
