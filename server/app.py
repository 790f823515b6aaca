"""Composition root of the server: settings in, a serving server out."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import grpc
import llm_observe
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from llm_observe._config import Config
from llm_observe._runtime import configure_runtime
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

from codec.extensions import COMPILED
from server.admin.health import HealthService
from server.admin.service import AdminService
from server.chat.attempts import ChatAttempts
from server.chat.conversations import ConversationService
from server.chat.message_store import MessageStore
from server.chat.providers import Providers
from server.chat.service import ChatService
from server.ingest.loopback import LoopbackExporter
from server.ingest.request import decode_batch
from server.ingest.service import MAX_BYTES, IngestService
from server.reads.analytics import AnalyticsService
from server.reads.events import EventService
from server.reads.live_feed import LiveFeeds
from server.rpc.auth import Authenticator
from server.rpc.idempotency import IdempotencyKeys
from server.rpc.pipeline import RpcPipeline
from server.rpc.rate_limit import ChatLimits, RateLimiter
from storage.pool import Database
from worker.queue.broker import LogBroker
from worker.queue.log_queue import LogQueue

if TYPE_CHECKING:
    from codec.settings import RedactionSettings
    from server.settings import ProviderSettings, ServerSettings
    from storage.settings import StorageSettings
    from worker.queue.settings import QueueSettings

logger = structlog.get_logger("server")

_HERE: Final = "this-process:0"
"""The SDK sends nothing without an endpoint; ours is never connected to."""
_FLUSH_S: Final = 2.0
"""How long stopping waits for chat's own logs, in seconds."""
_READERS: Final = {"/llm_observe.v1.IngestService/IngestLogs": decode_batch}
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
    feeds: LiveFeeds
    port: int

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, let running ones end within grace_s seconds, let go of everything."""
        await self.health.enter_graceful_shutdown()
        # Chat's own logs must be in the queue before it closes.
        await self.chat.drain(grace_s)
        await asyncio.to_thread(llm_observe.shutdown, _FLUSH_S)
        # A tail has no end of its own, and would use up the grace of calls that have.
        await self.feeds.stop()
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
    log_queue, providers, feeds = LogQueue(broker), Providers(provider_settings), LiveFeeds(broker)
    once = IdempotencyKeys(database)
    server = grpc.aio.server(
        options=_options(settings), maximum_concurrent_rpcs=settings.max_concurrent_calls
    )
    door: Any = RpcPipeline(server, Authenticator(database, required=settings.require_keys), _READERS)
    checks = await _add_health(server)
    limiter = RateLimiter(broker, "ingest", settings.ingest_logs_per_minute)
    ingest = IngestService(log_queue, limiter, redactor)
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(ingest, door)
    admin = AdminService(database, broker, log_queue, redactor)
    admin_service_pb2_grpc.add_AdminServiceServicer_to_server(admin, door)
    loopback = LoopbackExporter(ingest)
    chat = ChatService(
        store=MessageStore(database, redactor, settings.store_messages),
        providers=providers,
        attempts=ChatAttempts(once, settings.chat_timeout_s),
        limits=ChatLimits(
            broker,
            session_turns=settings.chat_turns_per_minute,
            project_turns=settings.chat_project_turns_per_minute,
        ),
        register_log=loopback.register,
        settings=settings,
    )
    chat_service_pb2_grpc.add_ChatServiceServicer_to_server(chat, door)
    conversation = ConversationService(database, redactor, once)
    conversation_service_pb2_grpc.add_ConversationServiceServicer_to_server(conversation, door)
    analytics = AnalyticsService(database)  # type: ignore[abstract] # NOT_IMPLEMENTED answers the rest
    analytics_service_pb2_grpc.add_AnalyticsServiceServicer_to_server(analytics, door)
    health_service_pb2_grpc.add_HealthServiceServicer_to_server(HealthService(database, broker), door)
    event_service_pb2_grpc.add_EventServiceServicer_to_server(EventService(feeds), door)
    _add_unimplemented(door)
    if settings.reflection:
        reflection.enable_server_reflection((*_names(), health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    port = _bind(server, settings)
    await server.start()
    # Chat's own calls are logged as any other application's, but for the network between.
    configure_runtime(Config.from_env(endpoint=_HERE, spool_dir=""), loopback.export)
    return Server(server, checks, chat, database, broker, providers, feeds, port)


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    options = [
        # Twice the contract's limit, so that a batch somewhat too large gets a rich answer.
        ("grpc.max_receive_message_length", 2 * MAX_BYTES),
        ("grpc.so_reuseport", int(settings.processes > 1)),
        ("grpc.max_concurrent_streams", settings.max_concurrent_calls),
        # Proxies and firewalls forget connections that are silent; clients may ask as often as ours do.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    if settings.max_connection_age_s:
        options += [
            ("grpc.max_connection_age_ms", int(settings.max_connection_age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", int(settings.chat_timeout_s * 1000)),
        ]
    return options


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


def _add_unimplemented(door: Any) -> None:
    """Serve the rest of the contract: known to reflection, answered with NOT_IMPLEMENTED."""
    # The stubs call the generated bases abstract; in truth every method of theirs answers.
    export: Any = export_service_pb2_grpc.ExportServiceServicer
    export_service_pb2_grpc.add_ExportServiceServicer_to_server(export(), door)


def _bind(server: grpc.aio.Server, settings: ServerSettings) -> int:
    address = f"{settings.host}:{settings.port}"
    credentials = _credentials(settings) if settings.tls_cert_file else None
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError:
        raise StartError.port_taken(settings.host, settings.port) from None


def _credentials(settings: ServerSettings) -> grpc.ServerCredentials:
    def read(name: str) -> bytes:
        try:
            return Path(name).read_bytes()
        except OSError as error:
            raise StartError(f"cannot read the TLS file {name}: {error.strerror}") from None

    client_ca = read(settings.tls_client_ca_file) if settings.tls_client_ca_file else None
    return grpc.ssl_server_credentials(
        [(read(settings.tls_key_file), read(settings.tls_cert_file))],
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )


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
    logger.info("server ready", host=settings.host, port=server.port, compiled_check=COMPILED)
    await stop.wait()
    await server.stop(settings.grace_s)
    logger.info("server stopped")
