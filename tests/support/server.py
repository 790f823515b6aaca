"""The real server in this process, with the settings that a test needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from codec.settings import RedactionSettings
from server.app import Server, build_server
from server.settings import ProviderSettings, ServerSettings
from stack.demo.provider_mock import ProviderMock
from storage.settings import StorageSettings
from worker.queue.settings import QueueSettings

_GRACE_S = 0.5


async def start_server(
    database_url: str, queue: QueueSettings, providers: ProviderSettings | None = None, **settings: Any
) -> Server:
    """Start a server on a free port; ``settings`` are those of ServerSettings."""
    return await build_server(
        ServerSettings(port=0, **settings),
        StorageSettings(database_url=database_url),
        queue,
        providers or ProviderSettings(),
        RedactionSettings(),
    )


@asynccontextmanager
async def running_server(
    database_url: str, queue: QueueSettings, providers: ProviderSettings | None = None, **settings: Any
) -> AsyncIterator[Server]:
    """Serve while the context lasts; see start_server."""
    running = await start_server(database_url, queue, providers, **settings)
    try:
        yield running
    finally:
        await running.stop(_GRACE_S)


def mocked(mock: ProviderMock, api_key: str = "mock") -> ProviderSettings:
    """Return settings by which every vendor is the mock."""
    return ProviderSettings(
        openai_api_key=api_key,
        openai_base_url=f"{mock.base_url}/v1",
        anthropic_api_key=api_key,
        anthropic_base_url=mock.base_url,
        gemini_api_key=api_key,
        gemini_base_url=mock.base_url,
    )
