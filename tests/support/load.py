"""Clients that send logs as the SDK does, until they are stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from tests.support.logs import make_log, make_request
from tests.support.rpc import RPC_TIMEOUT_S, stub
from tests.support.waiting import eventually

_CLIENTS = 4
_BATCH = 10
_RETRYABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


class Load:
    """Four clients, each of which retries a batch until it is accepted."""

    def __init__(self, port: int | str) -> None:
        self.port = port
        self.accepted = 0
        """Logs that were accepted."""
        self.refusals = 0
        """Calls that failed and were retried."""
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Load]:
        """Send while the context lasts; then let every client finish its batch."""
        clients = [asyncio.create_task(self._send_batches()) for _ in range(_CLIENTS)]
        try:
            yield self
        finally:
            self._stopping = True
            await asyncio.gather(*clients)

    async def wait_for_logs(self, count: int) -> None:
        """Wait until ``count`` more logs have been accepted."""
        wanted = self.accepted + count
        await eventually(lambda: self.accepted >= wanted)

    async def wait_for_refusal(self) -> None:
        """Wait until another call has failed."""
        before = self.refusals
        await eventually(lambda: self.refusals > before)

    async def _send_batches(self) -> None:
        while not self._stopping:
            request = make_request(*(make_log(model=f"m{number % 5}") for number in range(_BATCH)))
            while not await self._send(request):
                self.refusals += 1
                await asyncio.sleep(0.05)
            self.accepted += _BATCH

    async def _send(self, request: object) -> bool:
        # A new connection each time, so that every process of a shared port gets some.
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            try:
                await stub(IngestServiceStub, channel).IngestLogs(request, timeout=RPC_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                assert error.code() in _RETRYABLE, error.code()
                return False
        return True
