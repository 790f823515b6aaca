"""The mock's HTTP server.

A request's ``x-mock`` header (JSON), or else the mock's behaviour for the model, or else its
``default_behaviour``, says how it answers: ``text`` of the answer, the ``tool_arguments`` of a tool that it
calls, or the number of its ``chunks`` and the ``padding`` characters added to each; ``latency_s`` before the
first byte and ``chunk_s`` between chunks, in seconds; the ``status`` of an error; after how many chunks
the connection breaks (``cut_after``), falls silent (``stall_after``) or carries an error under status 200
(``error_after``).
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from stack.demo.provider_mock.anthropic import ANTHROPIC
from stack.demo.provider_mock.dialect import Answer, Dialect, Json, make_answer
from stack.demo.provider_mock.gemini import GEMINI
from stack.demo.provider_mock.openai import OPENAI
from stack.demo.provider_mock.openai_responses import RESPONSES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request

_STALL_S: Final = 3600


class ProviderMock:
    """The mock's endpoints, and what they were asked, for tests to look at."""

    def __init__(self) -> None:
        self.requests: list[Json] = []
        self.open_streams = 0
        self.sent_events = 0
        self.base_url = ""
        """For Anthropic and Gemini; OpenAI's clients want ``/v1`` behind it."""
        self.default_behaviour: Json = {}
        """Behaviour for requests without an x-mock header."""
        self.behaviour_of: Callable[[str], Json] = lambda _model: {}
        """Returns the behaviour for a model, empty for the default."""
        self.models: list[str] = []
        """The model of every request."""
        self.answers: list[Answer] = []
        """What was answered, errors apart."""

    async def openai(self, request: Request) -> Response:
        """Answer POST /v1/chat/completions."""
        body = await request.json()
        return await self._answer(request, OPENAI, body, body["model"], streamed=bool(body.get("stream")))

    async def responses(self, request: Request) -> Response:
        """Answer POST /v1/responses."""
        body = await request.json()
        return await self._answer(request, RESPONSES, body, body["model"], streamed=bool(body.get("stream")))

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
        self, request: Request, dialect: Dialect, body: Json, model: str, *, streamed: bool
    ) -> Response:
        self.requests.append(body)
        self.models.append(model)
        told = json.loads(request.headers.get("x-mock", "null"))
        behaviour = told or self.behaviour_of(model) or self.default_behaviour
        await asyncio.sleep(behaviour.get("latency_s", 0))
        status = behaviour.get("status", 200)
        headers = {dialect.request_id_header: f"req_{uuid.uuid4().hex}"}
        if status != 200:  # noqa: PLR2004 - HTTP OK
            error = dialect.error(status)
            if behaviour.get("request_id_in_error"):  # as Anthropic's API has it
                error["request_id"] = headers[dialect.request_id_header]
            return JSONResponse(error, status_code=status, headers=headers)
        answer = make_answer(
            model,
            body,
            text=behaviour.get("text", ""),
            chunks=behaviour.get("chunks", 12),
            padding=behaviour.get("padding", 0),
            tool_arguments=behaviour.get("tool_arguments"),
        )
        self.answers.append(answer)
        if streamed:
            events = self._stream(dialect.events(answer), dialect.last_line, dialect.error(429), behaviour)
            return StreamingResponse(events, media_type="text/event-stream", headers=headers)
        return JSONResponse(dialect.whole(answer), headers=headers)

    async def _stream(
        self,
        events: Iterator[Json],
        last_line: bytes,
        error: Json,
        behaviour: Json,
    ) -> AsyncIterator[bytes]:
        self.open_streams += 1
        try:
            for index, event in enumerate(events):
                if index == behaviour.get("cut_after"):
                    raise ConnectionResetError("the mock was asked to break off")
                if index == behaviour.get("error_after"):
                    event = error  # noqa: PLW2901 - in its place
                if index == behaviour.get("stall_after"):
                    await asyncio.sleep(_STALL_S)
                name = f"event: {event['type']}\n" if "type" in event else ""
                yield f"{name}data: {json.dumps(event)}\n\n".encode()
                self.sent_events += 1
                await asyncio.sleep(behaviour.get("chunk_s", 0))
            yield last_line
        finally:
            self.open_streams -= 1

    def app(self) -> Starlette:
        """Return the mock as an ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self.openai, methods=["POST"]),
                Route("/v1/responses", self.responses, methods=["POST"]),
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
