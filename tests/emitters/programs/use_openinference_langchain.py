"""OpenInference over LangChain and, beside it, over the client below: each call is reported twice."""

from __future__ import annotations

from typing import Any

from exporting import make_provider
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from scenarios import KEY, OPENAI_URL, QUESTION, main, weather

provider = make_provider()
LangChainInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)


def chat(model: str) -> Any:
    return ChatOpenAI(model=model, base_url=OPENAI_URL, api_key=KEY, max_retries=0, stream_usage=True)


def call_tool(model: str) -> None:
    function = tool(weather)
    bound = chat(model).bind_tools([function])
    messages: list[Any] = [HumanMessage(QUESTION)]
    answer = bound.invoke(messages)
    bound.invoke([*messages, answer, *(function.invoke(call) for call in answer.tool_calls)])


async def ask(model: str) -> None:
    await chat(model).ainvoke(QUESTION)


main({
    "plain": lambda model: chat(model).invoke(QUESTION),
    "stream": lambda model: list(chat(model).stream(QUESTION)),
    "tool": call_tool,
    "async": ask,
})  # fmt: skip
