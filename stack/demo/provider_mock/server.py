"""The mock's HTTP server.

A request's ``x-mock`` header (JSON), or the mock's ``default_wish``, says how it behaves: ``latency_s``
before the first byte, ``chunks`` of a stream, ``padding`` characters each, ``chunk_s`` between them,
``status`` of an error, ``cut_after`` chunks at which the connection breaks, ``stall_after`` chunks at which
it falls silent, ``fault_after`` chunks at which an error comes under HTTP status 200.
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

from stack.demo.provider_mock.anthropic import ANTHROPIC
from stack.demo.provider_mock.dialect import Dialect, make_answer
from stack.demo.provider_mock.gemini import GEMINI
from stack.demo.provider_mock.openai import OPENAI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

_STALL_S: Final = 3600


class ProviderMock:
    """The server's state: what it was asked, for tests to look at."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.open_streams = 0
        self.sent_events = 0
        self.base_url = ""
        """For Anthropic and Gemini; OpenAI's clients want ``/v1`` behind it."""
        self.default_wish: dict[str, Any] = {}
        """How requests without an x-mock header are answered."""

    async def openai(self, request: Request) -> Response:
        """Answer POST /v1/chat/completions."""
        body = await request.json()
        return await self._answer(request, OPENAI, body, body["model"], streamed=bool(body.get("stream")))

    async def anthropic(self, request: Request) -> Response:
        """Answer POST /v1/messages."""
        body = await request.json()
        return await self._answer(request, ANTHROPIC, body, body["model"], streamed=bool(body.get("stream")))

    async def gemini(self, request: Request) -> Response:
        """Answer POST /VERSION/models/MODEL:METHOD."""
        model, _, method = request.path_params["model"].partition(":")
        streamed = method == "streamGenerateContent"
        return await self._answer(request, GEMINI, await request.json(), model, streamed=streamed)

    async def _answer(
        self, request: Request, dialect: Dialect, body: dict[str, Any], model: str, *, streamed: bool
    ) -> Response:
        self.requests.append(body)
        wish = json.loads(request.headers.get("x-mock", "null")) or self.default_wish
        await asyncio.sleep(wish.get("latency_s", 0))
        status = wish.get("status", 200)
        headers = {dialect.request_id_header: f"req_{uuid.uuid4().hex}"}
        if status != 200:  # noqa: PLR2004 - HTTP OK
            return JSONResponse(dialect.fault(status), status_code=status, headers=headers)
        answer = make_answer(model, body, chunks=wish.get("chunks", 12), padding=wish.get("padding", 0))
        if streamed:
            fault = dialect.fault(429)
            events = self._stream(dialect.events(answer), dialect.last_line, fault, wish)
            return StreamingResponse(events, media_type="text/event-stream", headers=headers)
        return JSONResponse(dialect.whole(answer), headers=headers)

    async def _stream(
        self,
        events: Iterator[dict[str, Any]],
        last_line: bytes,
        fault: dict[str, Any],
        wish: dict[str, Any],
    ) -> AsyncIterator[bytes]:
        self.open_streams += 1
        try:
            for index, event in enumerate(events):
                if index == wish.get("cut_after"):
                    raise ConnectionResetError("the mock was asked to break off")
                if index == wish.get("fault_after"):
                    event = fault  # noqa: PLW2901 - in its place
                if index == wish.get("stall_after"):
                    await asyncio.sleep(_STALL_S)
                name = f"event: {event['type']}\n" if "type" in event else ""
                yield f"{name}data: {json.dumps(event)}\n\n".encode()
                self.sent_events += 1
                await asyncio.sleep(wish.get("chunk_s", 0))
            yield last_line
        finally:
            self.open_streams -= 1

    def app(self) -> Starlette:
        """Return the mock as an ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.openai, methods=["POST"]),
                Route("/v1/messages", self.anthropic, methods=["POST"]),
                Route("/{version:str}/models/{model}", self.gemini, methods=["POST"]),
            ]
        )


@contextmanager
def running_mock() -> Iterator[ProviderMock]:
    """Serve a mock on a free loopback port, in a thread, while the context lasts."""
    mock = ProviderMock()
    listener = socket.create_server(("127.0.0.1", 0))
    mock.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(mock.app(), log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), name="provider-mock", daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield mock
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()
