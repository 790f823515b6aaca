"""Pydantic AI, with each vendor's client."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from scenarios import BASE_URL, KEY, OPENAI_URL, QUESTION, expect_error, main, weather


def openai(model: str) -> Any:
    return OpenAIChatModel(model, provider=OpenAIProvider(base_url=OPENAI_URL, api_key=KEY))


def responses(model: str) -> Any:
    return OpenAIResponsesModel(model, provider=OpenAIProvider(base_url=OPENAI_URL, api_key=KEY))


def anthropic(model: str) -> Any:
    return AnthropicModel(model, provider=AnthropicProvider(base_url=BASE_URL, api_key=KEY))


def gemini(model: str) -> Any:
    return GoogleModel(model, provider=GoogleProvider(base_url=BASE_URL, api_key=KEY))


async def stream(model: Any) -> None:
    async with Agent(model).run_stream(QUESTION) as answer:
        async for _ in answer.stream_text():
            pass


async def ask(model: Any) -> None:
    await Agent(model).run(QUESTION)


def of(make: Any, prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}plain": lambda model: Agent(make(model)).run_sync(QUESTION),
        f"{prefix}stream": lambda model: stream(make(model)),
        f"{prefix}tool": lambda model: Agent(make(model), tools=[weather]).run_sync(QUESTION),
        f"{prefix}async": lambda model: ask(make(model)),
        f"{prefix}error": lambda model: expect_error(lambda: Agent(make(model)).run_sync(QUESTION)),
    }


main({
    **of(openai),
    **of(responses, "responses-"),
    **of(anthropic, "anthropic-"),
    **of(gemini, "gemini-"),
})  # fmt: skip
