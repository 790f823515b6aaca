"""The real server in this process, with the settings that a test needs, and every service of the contract."""

from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import llm_observe.v1
from google.protobuf.descriptor import ServiceDescriptor

from analytics.lake.settings import LakeSettings
from analytics.pricing.settings import PricingSettings
from analytics.reports.settings import ReportSettings
from analytics.sandbox.settings import SandboxSettings
from codec.settings import RedactionSettings
from server.app import Server, build_server
from server.settings import ProviderSettings, ServerConfig, ServerSettings
from stack.demo.provider_mock import ProviderMock
from storage.settings import StorageSettings
from worker.notices.settings import NoticeSettings
from worker.queue.settings import QueueSettings

_GRACE_S = 0.5


def make_config(
    database_url: str,
    queue: QueueSettings,
    providers: ProviderSettings | None = None,
    notices: NoticeSettings | None = None,
    *,
    lake: LakeSettings | None = None,
    sandbox: SandboxSettings | None = None,
    reports: ReportSettings | None = None,
    **server: Any,
) -> ServerConfig:
    """Return the settings of a server on a free port; ``server`` are fields of ServerSettings."""
    return ServerConfig(
        server=ServerSettings(**{"port": 0, "otlp_port": 0, "grace_s": 1, **server}),
        storage=StorageSettings(database_url=database_url),
        queue=queue,
        providers=providers or ProviderSettings(),
        redaction=RedactionSettings(),
        pricing=PricingSettings(),
        notices=notices or NoticeSettings(),
        lake=lake or LakeSettings(),
        sandbox=sandbox or SandboxSettings(),
        reports=reports or ReportSettings(),
    )


async def start_server(
    database_url: str, queue: QueueSettings, providers: ProviderSettings | None = None, **server: Any
) -> Server:
    """Start the server of make_config()."""
    return await build_server(make_config(database_url, queue, providers, **server))


@asynccontextmanager
async def running_server(
    database_url: str, queue: QueueSettings, providers: ProviderSettings | None = None, **settings: Any
) -> AsyncIterator[Server]:
    """Serve while the context lasts; see make_config."""
    running = await start_server(database_url, queue, providers, **settings)
    try:
        yield running
    finally:
        await running.stop(_GRACE_S)


def mocked(mock: ProviderMock, api_key: str = "mock") -> ProviderSettings:
    """Return settings that make the mock every vendor."""
    return ProviderSettings(
        openai_api_key=api_key,
        openai_base_url=f"{mock.base_url}/v1",
        anthropic_api_key=api_key,
        anthropic_base_url=mock.base_url,
        gemini_api_key=api_key,
        gemini_base_url=mock.base_url,
    )


def _services() -> dict[str, ServiceDescriptor]:
    found = {}
    for module in pkgutil.iter_modules(llm_observe.v1.__path__):
        if module.name.endswith("_service_pb2"):
            descriptor = import_module(f"llm_observe.v1.{module.name}").DESCRIPTOR
            found.update(descriptor.services_by_name.items())
    return found


SERVICES = _services()
"""Every service that our protos define, by its short name."""
