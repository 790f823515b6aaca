"""A server's configuration, for tests that run one in this process, and every service of the contract."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import llm_observe.v1
from google.protobuf.descriptor import ServiceDescriptor

from codec.settings import RedactionSettings
from server.settings import ProviderSettings, ServerConfig, ServerSettings
from storage.settings import StorageSettings
from worker.queue.settings import QueueSettings


def make_config(
    database_url: str, queue: QueueSettings, providers: ProviderSettings | None = None, **server: Any
) -> ServerConfig:
    """The settings of a server on a free port; ``server`` are fields of ServerSettings."""
    return ServerConfig(
        server=ServerSettings(**{"port": 0, "grace_s": 1, **server}),
        storage=StorageSettings(database_url=database_url),
        queue=queue,
        providers=providers or ProviderSettings(),
        redaction=RedactionSettings(),
    )


def _services() -> dict[str, ServiceDescriptor]:
    found = {}
    for module in pkgutil.iter_modules(llm_observe.v1.__path__):
        if module.name.endswith("_service_pb2"):
            descriptor = import_module(f"llm_observe.v1.{module.name}").DESCRIPTOR
            found.update(descriptor.services_by_name.items())
    return found


SERVICES = _services()
"""Every service that a proto of ours defines, by its short name."""
