"""Every example of the README runs as it is printed, and records what it says."""

from __future__ import annotations

import asyncio
import contextvars
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import llm_observe
import openai
import pytest
from llm_observe import _api
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, Log
from openai_wire import QUESTION
from vendor_wire import Anthropic, Gemini, OpenAI

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
EVENT = {"messages": QUESTION}
Names = dict[str, Any]


def export(names: Names) -> None:
    result = names["configured"]["exporter"].export(IngestLogsRequest(logs=[Log()]), 1)
    assert result == llm_observe.ExportResult(accepted=1)


USES: dict[str, tuple[Callable[[Names], Any] | None, int]] = {
    # what only this example has: how it is used, and how many calls that makes
    "from openai import OpenAI": (lambda names: names["ask"]("hi"), 1),
    "import anthropic": (None, 1),
    "from google import genai": (None, 1),
    'provider="groq"': (lambda names: names["ask"]("hi"), 1),
    "import llm_observe\n\nllm_observe.instrument()": (
        lambda names: names["ChatOpenAI"]("m").invoke("hi"),
        1,
    ),
    'tags=["beta"]': (None, 1),
    "tls=True": (None, 0),
    'LLMClient("anthropic")': (None, 2),
    "read=lambda": (None, 1),
    'operation="execute_tool"': (lambda names: asyncio.run(names["answer"]("hi")), 1),
    "class Printer": (export, 0),
    "FastAPI": (lambda names: asyncio.run(names["ask"]("hi", "u7")), 1),
    "chat = ChatOpenAI": (None, 1),
    "chat.root_client": (lambda names: names["chat"].invoke("hi"), 1),
    "pool.submit": (None, 1),
    "@celery.task": (lambda names: names["summarise"]("hi"), 1),
    "def handler": (lambda names: names["handler"](EVENT, None), 1),
    "STAFF_ID": (None, 0),
}


class ChatOpenAI:
    """LangChain's class, as far as the examples use it."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.root_client, self.root_async_client = openai.OpenAI(), openai.AsyncOpenAI()

    def invoke(self, text: str) -> Any:
        messages: Any = [{"role": "user", "content": text}]
        return self.root_client.chat.completions.create(model=self.model, messages=messages)


class FastAPI:
    """FastAPI's class, as far as the examples use it."""

    def get(self, _path: str) -> Callable[[Any], Any]:
        return lambda endpoint: endpoint


@pytest.fixture
def network(monkeypatch) -> None:
    """Answer every request as the vendor would."""
    wires = {vendor.address: vendor.wire for vendor in (OpenAI(), Anthropic(), Gemini())}

    def answer(request: httpx2.Request) -> httpx2.Response:
        response: httpx2.Response = wires.get(request.url.host, wires[OpenAI.address])(request)
        return response

    transport = httpx2.MockTransport(answer)
    for kind, name in (
        (httpx2.HTTPTransport, "handle_request"),
        (httpx2.AsyncHTTPTransport, "handle_async_request"),
    ):
        answered = getattr(transport, name)
        monkeypatch.setattr(kind, name, lambda _, request, answered=answered: answered(request))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OBSERVE_KEY"):
        monkeypatch.setenv(name, "k")


@pytest.fixture
def names(network, recorder, monkeypatch) -> Names:
    """What the examples take for granted."""
    configured: Names = {}
    monkeypatch.setattr(
        _api,
        "configure_runtime",
        lambda config, exporter: configured.update(config=config, exporter=exporter),
    )
    monkeypatch.setattr(recorder, "flush", lambda timeout_s: None, raising=False)
    client = llm_observe.wrap(openai.OpenAI())
    names: Names = {
        **vars(openai),
        **{each.__name__: each for each in (llm_observe, os, contextvars, ThreadPoolExecutor)},
        **{each.__name__: each for each in (ChatOpenAI, FastAPI)},
        "celery": SimpleNamespace(task=lambda function: function),
        "chat": ChatOpenAI("m"),
        "client": client,
        "configured": configured,
    }
    names["ask"] = lambda text: names["client"].chat.completions.create(model=text, messages=QUESTION)
    return names


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.partition("\n")[0][:40])
def test_an_example_runs_and_is_recorded(names, recorder, example):
    (use,) = [USES[part] for part in USES if part in f"\n{example}"]
    then, calls = use
    try:
        exec(compile(example, "README.md", "exec"), names)  # noqa: S102 - our own
        if then is not None:
            then(names)
    finally:
        llm_observe.uninstrument()
    assert len(recorder.calls) == calls
    assert {log.outcome for log in recorder.logs} <= {OUTCOME_SUCCESS}


def test_every_use_has_its_example():
    assert [part for part in USES if sum(part in f"\n{example}" for example in EXAMPLES) != 1] == []
