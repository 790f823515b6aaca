"""LlamaIndex."""

from __future__ import annotations

from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main, weather

MESSAGES = [ChatMessage(role="user", content=QUESTION)]


class AnyModel(OpenAI):
    """Accepts models that LlamaIndex does not know."""

    @property
    def metadata(self) -> Any:
        return OpenAI(model="gpt-4o", api_key=KEY).metadata


def llm(model: str) -> Any:
    return AnyModel(model=model, api_base=OPENAI_URL, api_key=KEY, max_retries=0)


def call_tool(model: str) -> None:
    answer = llm(model).predict_and_call([FunctionTool.from_defaults(weather)], user_msg=QUESTION)
    assert "Oslo" in str(answer)


async def ask(model: str) -> None:
    await llm(model).achat(MESSAGES)
    async for _ in await llm(model).astream_chat(MESSAGES):
        pass


main({
    "plain": lambda model: llm(model).chat(MESSAGES),
    "stream": lambda model: list(llm(model).stream_chat(MESSAGES)),
    "tool": call_tool,
    "async": ask,
    "error": lambda model: expect_error(lambda: llm(model).chat(MESSAGES)),
})  # fmt: skip
