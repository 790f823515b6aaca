"""OpenAI's wire protocol with scripted answers, written from the vendor's API reference."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import llm_observe
import openai

QUESTION = [{"role": "user", "content": "what is up?"}]
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 5,
    "total_tokens": 16,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1},
}
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini-2024",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "all is well"}}
    ],
    "usage": USAGE,
}


def completion(*messages: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    choices = [
        {
            "index": index,
            "finish_reason": finish,
            "message": {"role": "assistant", "content": None, **message},
        }
        for index, message in enumerate(messages)
    ]
    return {**COMPLETION, "choices": choices}


def chunk(content=None, finish=None, usage=None, **delta):
    choice = {"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}
    choices = [] if usage else [choice]
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-mini-2024",
        "choices": choices,
        "usage": usage,
    }


CHUNKS = [chunk(""), chunk("all "), chunk("is "), chunk("well"), chunk(None, finish="stop")]


class Wire:
    """A transport with scripted answers, which keeps the requests."""

    def __init__(self, answer: Any):
        self.answer = answer
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx2.Request) -> Any:
        self.bodies.append(json.loads(request.content))
        answer = self.answer
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            return answer(request)
        if self.bodies[-1].get("stream"):
            events = list(answer)
            if (self.bodies[-1].get("stream_options") or {}).get("include_usage"):
                events.append(chunk(usage=USAGE))
            return sse(events)
        return httpx2.Response(200, json=answer, headers={"x-request-id": "req_1"})


def sse_bytes(events) -> bytes:
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events) + b"data: [DONE]\n\n"


def sse(events, *, broken: bool = False, done: bool = True) -> httpx2.Response:
    lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    if done and not broken:
        lines.append(b"data: [DONE]\n\n")

    async def abody():
        for line in lines:
            yield line
        if broken:
            raise httpx2.ReadError("cut")

    def body():
        yield from lines
        if broken:
            raise httpx2.ReadError("cut")

    class Both(httpx2.SyncByteStream, httpx2.AsyncByteStream):
        def __iter__(self):
            return body()

        def __aiter__(self):
            return abody()

    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Both())


def make_client(answer, kind: Any = openai.OpenAI):
    wire = Wire(answer)
    azure = {"api_version": "2024-10-21", "azure_endpoint": "http://azure.invalid"}
    client = kind(
        api_key="k",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(wire)),
        **(azure if kind is openai.AzureOpenAI else {}),
    )
    return llm_observe.wrap(client), wire


def make_async_client(answer):
    wire = Wire(answer)
    client = openai.AsyncOpenAI(
        api_key="k",
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(wire)),
    )
    return llm_observe.wrap(client), wire


def create(client, **options):
    return client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, **options)
