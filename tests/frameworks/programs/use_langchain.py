"""LangChain, with each vendor's client."""

from __future__ import annotations

from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from scenarios import BASE_URL, KEY, OPENAI_URL, QUESTION, expect_error, main, weather


def openai(model: str, **options: Any) -> Any:
    return ChatOpenAI(model=model, base_url=OPENAI_URL, api_key=KEY, max_retries=0, **options)


def anthropic(model: str) -> Any:
    return ChatAnthropic(model=model, base_url=BASE_URL, api_key=KEY, max_retries=0)


def gemini(model: str) -> Any:
    return ChatGoogleGenerativeAI(model=model, base_url=BASE_URL, api_key=KEY, max_retries=1)


def call_tool(chat: Any) -> None:
    function = tool(weather)
    bound = chat.bind_tools([function])
    messages: list[Any] = [HumanMessage(QUESTION)]
    answer = bound.invoke(messages)
    messages += [answer, *(function.invoke(call) for call in answer.tool_calls)]
    assert len(messages) == 3
    bound.invoke(messages)


async def ask(chat: Any) -> None:
    await chat.ainvoke(QUESTION)
    async for _ in chat.astream(QUESTION):
        pass


def of(make: Any, prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}plain": lambda model: make(model).invoke(QUESTION),
        f"{prefix}stream": lambda model: list(make(model).stream(QUESTION)),
        f"{prefix}tool": lambda model: call_tool(make(model)),
        f"{prefix}async": lambda model: ask(make(model)),
        f"{prefix}error": lambda model: expect_error(lambda: make(model).invoke(QUESTION)),
    }


main({
    **of(openai),
    **of(lambda model: openai(model, use_responses_api=True), "responses-"),
    **of(anthropic, "anthropic-"),
    **of(gemini, "gemini-"),
})  # fmt: skip
