"""Composition root of the server: settings in, a serving server out."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import grpc
import llm_observe
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from llm_observe.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    analytics_service_pb2,
    analytics_service_pb2_grpc,
    chat_service_pb2,
    chat_service_pb2_grpc,
    conversation_service_pb2,
    conversation_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    export_service_pb2,
    export_service_pb2_grpc,
    health_service_pb2,
    health_service_pb2_grpc,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
)

from server.admin_service import AdminService
from server.analytics_service import AnalyticsService
from server.chat_service import ChatService
from server.chat_turns import TurnStore
from server.conversation_service import ConversationService
from server.event_service import EventService
from server.health_service import HealthService
from server.ingest_service import MAX_BYTES, IngestService
from server.interceptors import ErrorInterceptor
from server.live_feed import LiveFeed
from server.providers import Providers
from server.rate_limit import RateLimiter
from storage.pool import Database
from worker.queue import LogBroker, LogQueue

if TYPE_CHECKING:
    from server.settings import ProviderSettings, ServerSettings
    from storage.settings import StorageSettings
    from worker.queue import QueueSettings, RedactionSettings

log = structlog.get_logger("server")

PROJECT_ID: Final = "default"
"""The one project until API keys name others."""
_FLUSH_S: Final = 2.0
"""How long stopping waits for chat's own logs, in seconds."""
_SERVICES: Final = (
    admin_service_pb2,
    analytics_service_pb2,
    chat_service_pb2,
    conversation_service_pb2,
    event_service_pb2,
    export_service_pb2,
    health_service_pb2,
    ingest_service_pb2,
)


class StartError(RuntimeError):
    """The server cannot start; the message names cause and fix."""

    @classmethod
    def port_taken(cls, host: str, port: int) -> Self:
        """Say that somebody else listens there."""
        return cls(f"cannot listen on {host}:{port}: set LLM_OBSERVE_GRPC_PORT to a free port")


class Server(NamedTuple):
    """A serving server and what it holds."""

    grpc_server: grpc.aio.Server
    health: health.aio.HealthServicer
    chat: ChatService
    database: Database
    broker: LogBroker
    providers: Providers
    feed: LiveFeed
    port: int

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, let running ones end within grace_s seconds, let go of everything."""
        await self.health.enter_graceful_shutdown()
        # Chat's own logs come in over our own port: they must be here before it closes.
        await self.chat.drain(grace_s)
        await asyncio.to_thread(llm_observe.shutdown, _FLUSH_S)
        # A tail has no end of its own, and would use up the grace of calls that have.
        await self.feed.stop()
        await self.grpc_server.stop(grace_s)
        await self.providers.aclose()
        await self.broker.shutdown()
        await self.database.close()


async def build_server(
    settings: ServerSettings,
    storage: StorageSettings,
    queue: QueueSettings,
    provider_settings: ProviderSettings,
    redaction: RedactionSettings,
) -> Server:
    """Build and start everything, top to bottom.

    Raises:
        StartError: The port is taken.
    """
    database, broker, redactor = Database(storage), LogBroker(queue), redaction.make_redactor()
    limiter = RateLimiter(broker, "ingest", settings.ingest_logs_per_minute)
    log_queue, providers = LogQueue(broker), Providers(provider_settings)
    server = grpc.aio.server(
        interceptors=[ErrorInterceptor()],
        options=[
            # Twice the contract's limit, so that a batch somewhat too large gets a rich answer.
            ("grpc.max_receive_message_length", 2 * MAX_BYTES),
            ("grpc.so_reuseport", int(settings.processes > 1)),
        ],
    )
    checks = await _add_health(server)
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(
        IngestService(log_queue, limiter, redactor, PROJECT_ID), server
    )
    admin = AdminService(database, broker, log_queue, PROJECT_ID)  # type: ignore[abstract] # NOT_IMPLEMENTED answers the rest
    admin_service_pb2_grpc.add_AdminServiceServicer_to_server(admin, server)
    chat = ChatService(TurnStore(database, redactor, PROJECT_ID), providers, settings.chat_timeout_s)
    chat_service_pb2_grpc.add_ChatServiceServicer_to_server(chat, server)
    conversation = ConversationService(database, redactor, PROJECT_ID)  # type: ignore[abstract] # NOT_IMPLEMENTED answers the rest
    conversation_service_pb2_grpc.add_ConversationServiceServicer_to_server(conversation, server)
    analytics = AnalyticsService(database, PROJECT_ID)  # type: ignore[abstract] # as above
    analytics_service_pb2_grpc.add_AnalyticsServiceServicer_to_server(analytics, server)
    health_service_pb2_grpc.add_HealthServiceServicer_to_server(HealthService(database, broker), server)
    _add_unimplemented(server)
    feed = LiveFeed(broker, PROJECT_ID)
    event_service_pb2_grpc.add_EventServiceServicer_to_server(EventService(feed), server)
    if settings.reflection:
        reflection.enable_server_reflection((*_names(), health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    port = _bind(server, settings)
    await server.start()
    # Chat's own calls are logged over gRPC, as any other application's.
    llm_observe.configure(endpoint=f"127.0.0.1:{port}")
    return Server(server, checks, chat, database, broker, providers, feed, port)


def _names() -> tuple[str, ...]:
    return tuple(
        service.full_name for module in _SERVICES for service in module.DESCRIPTOR.services_by_name.values()
    )


async def _add_health(server: grpc.aio.Server) -> health.aio.HealthServicer:
    """Serve grpc.health.v1. It says that this process serves, whatever its database does."""
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    for name in ("", *_names()):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    return checks


def _add_unimplemented(server: grpc.aio.Server) -> None:
    """Serve the rest of the contract: known to reflection, answered with NOT_IMPLEMENTED."""
    # The stubs call the generated bases abstract; in truth every method of theirs answers.
    export: Any = export_service_pb2_grpc.ExportServiceServicer
    export_service_pb2_grpc.add_ExportServiceServicer_to_server(export(), server)


def _bind(server: grpc.aio.Server, settings: ServerSettings) -> int:
    try:
        return server.add_insecure_port(f"{settings.host}:{settings.port}")
    except RuntimeError:
        raise StartError.port_taken(settings.host, settings.port) from None


async def serve(
    settings: ServerSettings,
    storage: StorageSettings,
    queue: QueueSettings,
    providers: ProviderSettings,
    redaction: RedactionSettings,
) -> None:
    """Serve until SIGTERM or SIGINT, or until the process that started this one has died."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop.add_reader(parent.sentinel, stop.set)
    server = await build_server(settings, storage, queue, providers, redaction)
    log.info("server ready", host=settings.host, port=server.port)
    await stop.wait()
    await server.stop(settings.grace_s)
    log.info("server stopped")
