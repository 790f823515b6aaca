"""Instructor, whose every answer is the call of a tool."""

from __future__ import annotations

from typing import Any

import instructor
from anthropic import Anthropic
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel
from scenarios import BASE_URL, KEY, OPENAI_URL, QUESTION, expect_error, main


class Place(BaseModel):
    city: str


def openai(kind: Any = OpenAI) -> Any:
    return instructor.from_openai(kind(base_url=OPENAI_URL, api_key=KEY, max_retries=0))


def anthropic() -> Any:
    return instructor.from_anthropic(Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=0))


def ask(client: Any, model: str) -> Any:
    messages = [{"role": "user", "content": QUESTION}]
    return client.create(model=model, messages=messages, response_model=Place, max_tokens=99, max_retries=0)


def stream(client: Any, model: str) -> None:
    messages = [{"role": "user", "content": QUESTION}]
    for _ in client.create_partial(model=model, messages=messages, response_model=Place, max_tokens=99):
        pass


def check(place: Any) -> None:
    assert place.city == "Oslo"


main({
    "plain-tool": lambda model: check(ask(openai(), model)),
    "stream-tool": lambda model: stream(openai(), model),
    "async-tool": lambda model: ask(openai(AsyncOpenAI), model),
    "error": lambda model: expect_error(lambda: ask(openai(), model)),
    "anthropic-tool": lambda model: check(ask(anthropic(), model)),
    "anthropic-error": lambda model: expect_error(lambda: ask(anthropic(), model)),
})  # fmt: skip
