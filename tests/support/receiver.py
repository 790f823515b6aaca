"""A receiver of webhooks on this machine, which answers, fails, hangs or breaks off as it is told."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Received(NamedTuple):
    """A request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


@dataclass
class Receiver:
    """Answers each request with the next of ``answers``, and 200 when there are none left.

    An answer is a status, `hang` (nothing comes), `close` (the connection ends), `twice` (two answers), or
    `endless` (a body without an end).
    """

    port: int = 0
    answers: list[int | str] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=s3cret"

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.requests.append(Received(first.split()[1], headers, body))
            await self._answer(writer, self.answers.pop(0) if self.answers else 200)
        self._tasks.discard(task)

    async def _answer(self, writer: asyncio.StreamWriter, answer: int | str) -> None:
        if answer == "hang":
            await asyncio.Event().wait()
        if answer == "close":
            return
        status = answer if isinstance(answer, int) else 200
        reply = f"HTTP/1.1 {status} X\r\nLocation: {self.url}\r\nContent-Length: 2\r\n\r\nok".encode()
        if answer == "endless":
            reply = b"HTTP/1.1 200 X\r\n\r\n"
        writer.write(reply * (2 if answer == "twice" else 1))
        await writer.drain()
        while answer == "endless":
            writer.write(b"x" * 65536)
            await writer.drain()

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def running_receiver(
    *answers: int | str, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Serve while the context lasts."""
    receiver = Receiver(answers=list(answers))
    server = await asyncio.start_server(receiver.accept, "127.0.0.1", port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        receiver.stop()
        await asyncio.sleep(0)
