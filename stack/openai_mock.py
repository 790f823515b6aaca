"""A stand-in for a provider that speaks OpenAI's chat completions over HTTP, plain and streamed.

For demo traffic and tests only. A request's ``x-mock`` header (JSON) says how it behaves: ``latency_s``
before the first byte, ``chunks`` of a stream, ``chunk_s`` between them, ``status`` of an error, and
``cut_after`` chunks at which the connection breaks.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

_ERROR_CODES: Final = {
    400: ("invalid_request_error", "context_length_exceeded"),
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
}
_WORDS: Final = (
    "Traces",
    "turn",
    "a",
    "model's",
    "work",
    "into",
    "numbers",
    "that",
    "a",
    "team",
    "can",
    "trust.",
)


class OpenAIMock:
    """The server's state: what it was asked, for tests to look at."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.open_streams = 0
        self.base_url = ""
        self.default_wish: dict[str, Any] = {}
        """How requests without an x-mock header are answered."""

    async def complete(self, request: Request) -> Response:
        """Answer POST /v1/chat/completions."""
        body = await request.json()
        self.requests.append(body)
        wish = json.loads(request.headers.get("x-mock", "null")) or self.default_wish
        await asyncio.sleep(wish.get("latency_s", 0))
        status = wish.get("status", 200)
        headers = {"x-request-id": f"req_{uuid.uuid4().hex}"}
        if status != 200:  # noqa: PLR2004 - HTTP OK
            kind, code = _ERROR_CODES.get(status, ("server_error", None))
            fault = {"message": f"mock error {status}", "type": kind, "param": None, "code": code}
            return JSONResponse({"error": fault}, status_code=status, headers=headers)
        if body.get("stream"):
            return StreamingResponse(
                self._stream(body, wish), media_type="text/event-stream", headers=headers
            )
        return JSONResponse(_completion(body, wish), headers=headers)

    async def _stream(self, body: dict[str, Any], wish: dict[str, Any]) -> AsyncIterator[bytes]:
        self.open_streams += 1
        try:
            for index, event in enumerate(_events(body, wish)):
                if index == wish.get("cut_after"):
                    raise ConnectionResetError("the mock was asked to break off")
                yield f"data: {json.dumps(event)}\n\n".encode()
                await asyncio.sleep(wish.get("chunk_s", 0))
            yield b"data: [DONE]\n\n"
        finally:
            self.open_streams -= 1


def _usage(body: dict[str, Any], output_tokens: int) -> dict[str, Any]:
    words = sum(len(str(message.get("content", "")).split()) for message in body.get("messages", ()))
    input_tokens = max(1, words * 4 // 3)
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _completion(body: dict[str, Any], wish: dict[str, Any]) -> dict[str, Any]:
    words = [_WORDS[index % len(_WORDS)] for index in range(wish.get("chunks", 12))]
    message = {"role": "assistant", "content": " ".join(words), "refusal": None}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": f"{body['model']}-mock",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": _usage(body, len(words)),
    }


def _events(body: dict[str, Any], wish: dict[str, Any]) -> Iterator[dict[str, Any]]:
    base = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": f"{body['model']}-mock",
    }
    count = wish.get("chunks", 12)

    def event(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**base, "choices": [choice], "usage": None}

    yield event({"role": "assistant", "content": ""})
    for index in range(count):
        yield event({"content": f"{_WORDS[index % len(_WORDS)]} "})
    yield event({}, "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**base, "choices": [], "usage": _usage(body, count)}


@contextmanager
def running_mock() -> Iterator[OpenAIMock]:
    """Serve a mock on a free loopback port, in a thread, while the context lasts."""
    mock = OpenAIMock()
    app = Starlette(routes=[Route("/v1/chat/completions", mock.complete, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    mock.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), name="openai-mock", daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield mock
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()
