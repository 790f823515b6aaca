"""Composition root of the server: a configuration in, a serving server out."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
import llm_observe
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from llm_observe.v1 import (
    admin_service_pb2,
    alert_service_pb2,
    analytics_service_pb2,
    chat_service_pb2,
    conversation_service_pb2,
    event_service_pb2,
    export_service_pb2,
    health_service_pb2,
    ingest_service_pb2,
    report_service_pb2,
)
from llm_observe.v1 import trace_service_pb2 as our_trace_service_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from analytics.reports.history import LiveLimits
from analytics.reports.local_files import LocalFiles
from analytics.sandbox.processes import QueryProcesses
from server.admin.health import HealthService
from server.admin.health_checks import HealthChecks
from server.admin.health_log import HealthLog
from server.admin.monitor import StoreMonitor
from server.admin.service import AdminService
from server.alerts.service import AlertService
from server.chat.attempts import ChatAttempts
from server.chat.conversations import ConversationService
from server.chat.costs import ChatCosts
from server.chat.message_store import MessageStore
from server.chat.providers import Providers
from server.chat.service import ChatService
from server.exports.service import ExportService
from server.ingest.loopback import LoopbackExporter
from server.ingest.request import decode_batch
from server.ingest.service import IngestService
from server.listener import bind, grpc_options
from server.otlp.call_folder import CallFolder
from server.otlp.fold_state import FoldState
from server.otlp.http import OtlpHttp
from server.otlp.http_server import OtlpHttpServer
from server.otlp.intake import OtlpIntake
from server.otlp.services import OtlpLogsService, OtlpMetricsService, OtlpTraceService
from server.reads.analytics import AnalyticsService
from server.reads.events import EventService
from server.reads.live_feed import LiveFeeds
from server.reads.traces import TraceService
from server.reads.turns import ReadTurns, reads_at_once
from server.reports.answers import Answers
from server.reports.service import ReportService
from server.reports.turns import Turns
from server.rpc.auth import Authenticator
from server.rpc.idempotency import IdempotencyKeys
from server.rpc.pipeline import RpcPipeline
from server.rpc.rate_limit import ChatLimits, RateLimiter
from server.rpc.receive_clock import ReceiveClock
from server.rpc.reflection import add_reflection
from server.rpc.streams import StreamLimits
from storage.pool import Database
from telemetry import metrics
from worker.notices.notifier import Notifier
from worker.queue.backlog import Backlog
from worker.queue.broker import LogBroker
from worker.queue.log_queue import WRITE_SPANS, LogQueue

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from server.rpc.running_calls import RunningCalls
    from server.settings import ServerConfig, ServerSettings

logger = structlog.get_logger("server")

_CANCEL_S: Final = 0.1
_FLUSH_S: Final = 2.0
"""How long stopping waits for the logs of chat's own calls, in seconds."""
_STATUS_S: Final = 0.5
"""How long calls have for their status when the grace period is over, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A serving server."""

    port: int
    grpc_server: grpc.aio.Server
    health_checks: health.aio.HealthServicer
    chat: ChatService
    feeds: LiveFeeds
    calls: RunningCalls
    otlp_http: OtlpHttpServer | None
    """Serves OTLP over HTTP, where it is on."""
    resources: AsyncExitStack
    """Closes what the services use: providers, queue, database."""

    async def stop(self, grace_s: float) -> None:
        """Let running calls end within grace_s seconds, refusing new ones, and close all resources.

        What has not ended by then gets SHUTTING_DOWN; chat has two more seconds to store what came.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace_s
        async with self.resources:
            await self.health_checks.enter_graceful_shutdown()
            if self.otlp_http is not None:
                await self.otlp_http.stop()
            # A live tail never ends by itself, and would use up the grace period of calls that do.
            await self.feeds.stop()
            await self.chat.drain(grace_s)
            remaining_s = max(0.0, deadline - loop.time())
            ending = loop.call_later(remaining_s, self.calls.stop)
            await self.grpc_server.stop(remaining_s + _STATUS_S)
            ending.cancel()
            # The logs of chat's own calls must be in the queue before it closes.
            await asyncio.to_thread(llm_observe.shutdown, _FLUSH_S)


async def build_server(config: ServerConfig) -> Server:
    """Build and start everything, top to bottom; what fails half way closes what was opened before.

    Raises:
        StartError: The port is taken, or a TLS file cannot be read.
        llm_observe.ConfigError: A variable of the SDK, which records chat's calls, is wrong.
    """
    async with AsyncExitStack() as resources:
        shared = _open_shared(config, resources)
        services = _add_services(config, shared)
        health_checks = await _add_health(shared.grpc_server, config.server, services.names)
        if config.server.reflection:
            names = (*services.names, health.SERVICE_NAME)
            add_reflection(shared.grpc_server, names, services.authenticator, services.streams)
        if metrics.is_on():
            monitor = StoreMonitor(shared.reads, shared.broker, config.lake)
            _run_until_closed(resources, monitor.run(), "store-monitor")
        port = bind(shared.grpc_server, config.server)
        otlp_http = await _serve_otlp_http(config.server, services, resources)
        await services.health_log.look()  # the first batch has the common clock already
        _run_until_closed(resources, services.health_log.run(), "health-log")
        _run_until_closed(resources, services.backlog.run(), "backlog")
        await shared.grpc_server.start()
        # Chat's own calls are logged as those of any application, but without a network call.
        llm_observe.configure(exporter=services.loopback, spool_dir="")
        return Server(
            port=port,
            grpc_server=shared.grpc_server,
            health_checks=health_checks,
            chat=services.chat,
            feeds=services.feeds,
            calls=services.calls,
            otlp_http=otlp_http,
            resources=resources.pop_all(),
        )


def _run_until_closed(resources: AsyncExitStack, job: Coroutine[None, None, None], name: str) -> None:
    task = asyncio.create_task(job, name=name)

    async def stop() -> None:
        while not task.done():  # Redis' client may swallow a cancellation
            task.cancel()
            await asyncio.wait([task], timeout=_CANCEL_S)

    resources.push_async_callback(stop)


class _Shared(NamedTuple):
    """What several services use, and what is closed at the end."""

    database: Database
    reads: Database
    """Connections of their own for analytics: slow questions take none from ingest and chat."""
    broker: LogBroker
    providers: Providers
    lake: LocalFiles | None
    queries: QueryProcesses
    grpc_server: grpc.aio.Server


def _open_shared(config: ServerConfig, resources: AsyncExitStack) -> _Shared:
    database, reads, broker = Database(config.storage), Database(config.storage), LogBroker(config.queue)
    resources.push_async_callback(database.close)
    resources.push_async_callback(reads.close)
    resources.push_async_callback(broker.shutdown)
    providers = Providers(config.providers)
    resources.push_async_callback(providers.aclose)
    store = config.lake.open_store()
    lake = LocalFiles(store, config.reports.copies_megabytes << 20) if store is not None else None
    if lake is not None:
        resources.callback(lake.close)
    queries = QueryProcesses(config.sandbox)
    resources.push_async_exit(queries)  # not entered: its first process starts with the first question
    grpc_server = grpc.aio.server(
        options=grpc_options(config.server), maximum_concurrent_rpcs=config.server.max_concurrent_calls
    )
    resources.push_async_callback(grpc_server.stop, None)
    return _Shared(database, reads, broker, providers, lake, queries, grpc_server)


class _Services(NamedTuple):
    """The services that need more than to be added, and the names of all."""

    chat: ChatService
    feeds: LiveFeeds
    loopback: LoopbackExporter
    health_log: HealthLog
    backlog: Backlog
    authenticator: Authenticator
    streams: StreamLimits
    calls: RunningCalls
    otlp: OtlpIntake
    names: Sequence[str]


def _add_services(config: ServerConfig, shared: _Shared) -> _Services:
    """Make every service and add it to the gRPC server."""
    database, reads, broker, providers, _, _, grpc_server = shared
    backlog = Backlog(broker, config.queue.max_megabytes << 20)
    redactor, log_queue = config.redaction.make_redactor(), LogQueue(broker, backlog)
    keys, feeds = IdempotencyKeys(database), LiveFeeds(broker)
    limiter = RateLimiter(broker, "ingest", config.server.ingest_logs_per_minute)
    clock = ReceiveClock()
    span_queue = LogQueue(broker, backlog, WRITE_SPANS)
    ingest = IngestService(log_queue, span_queue, limiter, redactor, clock)
    loopback = LoopbackExporter(ingest)
    store = MessageStore(database, redactor, config.server.store_messages)
    chat = _make_chat(
        config.server,
        store=store,
        providers=providers,
        keys=keys,
        broker=broker,
        loopback=loopback,
        costs=ChatCosts(config.pricing.make_price_book(), redactor),
    )

    authenticator = Authenticator(
        database,
        required=config.server.require_keys,
        wrong_keys_per_minute=config.server.wrong_keys_per_minute,
    )
    streams = _stream_limits(config.server)
    services = RpcPipeline(grpc_server, authenticator, streams)
    services.add(ingest, ingest_service_pb2.DESCRIPTOR, {"IngestLogs": decode_batch})
    services.add(chat, chat_service_pb2.DESCRIPTOR)
    services.add(ConversationService(database, redactor, keys), conversation_service_pb2.DESCRIPTOR)
    turns = ReadTurns(reads_at_once(config.server.processes))
    services.add(AnalyticsService(reads, turns), analytics_service_pb2.DESCRIPTOR)
    services.add(EventService(feeds), event_service_pb2.DESCRIPTOR)
    services.add(TraceService(reads), our_trace_service_pb2.DESCRIPTOR)
    services.add(_make_reports(config, shared), report_service_pb2.DESCRIPTOR)
    services.add(AdminService(database, broker, log_queue, redactor), admin_service_pb2.DESCRIPTOR)
    alerts = AlertService(
        database=database, reads=reads, broker=broker, notifier=Notifier(config.notices), redactor=redactor
    )
    services.add(alerts, alert_service_pb2.DESCRIPTOR)
    health_service = HealthService(reads, broker, backlog, config.server.folders)
    services.add(health_service, health_service_pb2.DESCRIPTOR)
    services.add(ExportService(database, keys, config.lake), export_service_pb2.DESCRIPTOR)
    otlp_limiter = RateLimiter(broker, "otlp", config.server.ingest_logs_per_minute)
    folder = CallFolder(ingest.accept_payload, FoldState(broker))
    kept_in = span_queue if config.server.otlp_spans else None
    otlp = OtlpIntake(folder, otlp_limiter, redactor, kept_in)
    services.add(OtlpTraceService(otlp), trace_service_pb2.DESCRIPTOR)
    services.add(OtlpLogsService(otlp), logs_service_pb2.DESCRIPTOR)
    services.add(OtlpMetricsService(), metrics_service_pb2.DESCRIPTOR)
    return _Services(
        chat=chat,
        feeds=feeds,
        loopback=loopback,
        health_log=HealthLog(health_service, clock),
        backlog=backlog,
        authenticator=authenticator,
        streams=streams,
        calls=services.calls,
        otlp=otlp,
        names=services.names,
    )


async def _serve_otlp_http(
    settings: ServerSettings, services: _Services, resources: AsyncExitStack
) -> OtlpHttpServer | None:
    if not settings.otlp_http:
        return None
    served = OtlpHttpServer(OtlpHttp(services.otlp, services.authenticator).app(), settings)
    resources.push_async_callback(served.stop)
    await served.start()
    return served


def _stream_limits(settings: ServerSettings) -> StreamLimits:
    return StreamLimits(per_caller=settings.max_streams_per_caller, in_all=settings.max_streams)


def _make_reports(config: ServerConfig, shared: _Shared) -> ReportService:
    limits = LiveLimits(
        rows=config.reports.live_logs,
        size_bytes=config.reports.live_megabytes << 20,
        timeout_s=config.reports.live_timeout_s,
    )
    turns = Turns(config.sandbox.processes, config.sandbox.queue_timeout_s)
    return ReportService(Answers(shared.reads, shared.lake, shared.queries, limits, turns))


def _make_chat(
    settings: ServerSettings,
    *,
    store: MessageStore,
    providers: Providers,
    keys: IdempotencyKeys,
    broker: LogBroker,
    loopback: LoopbackExporter,
    costs: ChatCosts,
) -> ChatService:
    limits = ChatLimits(
        broker,
        session_turns=settings.chat_turns_per_minute,
        project_turns=settings.chat_project_turns_per_minute,
    )
    return ChatService(
        store=store,
        providers=providers,
        attempts=ChatAttempts(keys, settings.chat_timeout_s),
        limits=limits,
        register_log=loopback.register,
        costs=costs,
        settings=settings,
    )


async def _add_health(
    server: grpc.aio.Server, settings: ServerSettings, names: Sequence[str]
) -> health.aio.HealthServicer:
    """Serve grpc.health.v1. It says that this process serves, whatever its database does.

    Its streams are counted apart: they take no room of others, nor others theirs.
    """
    checks = HealthChecks(_stream_limits(settings))
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    for name in ("", *names):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    return checks
