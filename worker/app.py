"""Composition root of the worker: settings in, a running worker out."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import structlog
from taskiq.acks import AcknowledgeType

from analytics.lake.settings import LakeSettings
from analytics.pricing.settings import PricingSettings
from codec.extensions import COMPILED
from codec.settings import RedactionSettings
from storage.exports import forget_exports
from storage.migrate import check_schema
from storage.partitions import ensure_partitions
from storage.pool import Database
from storage.request_ids import forget_request_ids
from storage.settings import StorageSettings
from storage.spans import drop_old_spans, ensure_span_partitions
from telemetry.settings import load_settings
from worker.notices.notifier import Notifier
from worker.notices.settings import NoticeSettings
from worker.queue.broker import WorkerBroker
from worker.queue.live import LivePublisher
from worker.queue.log_queue import WRITE_LOGS, WRITE_SPANS
from worker.queue.message import QueuedBatch, read_batches
from worker.queue.outages import wait_out
from worker.queue.receiver import LogReceiver, RetryMiddleware
from worker.queue.settings import QueueSettings
from worker.queue.stream import LogStream
from worker.schedule import APPLY_RETENTION, FORGET_MINUTES, MAKE_PARTITIONS, QUEUE_EXPORTS
from worker.settings import RollupSettings, WorkerSettings
from worker.tasks.alerts import AlertJob
from worker.tasks.dead_letter_quota import DeadLetterQuota
from worker.tasks.drop_old_logs import drop_old_logs
from worker.tasks.make_digests import DigestMaker
from worker.tasks.merge_rollups import RollupMerger
from worker.tasks.write_logs import LogWriter
from worker.tasks.write_spans import SpanWriter

if TYPE_CHECKING:
    from worker.tasks.export_logs import LogExporter

logger = structlog.get_logger("worker")


async def run_worker() -> None:
    """Process the queue until SIGTERM or SIGINT, then finish what is in flight."""
    settings = load_settings(WorkerSettings)
    queue_settings = load_settings(QueueSettings)
    storage = load_settings(StorageSettings)
    database, stream = Database(storage), LogStream(queue_settings)
    writer = LogWriter(
        database,
        load_settings(RedactionSettings).make_redactor(),
        load_settings(PricingSettings).make_price_book(),
        DeadLetterQuota(settings.dead_letters_per_minute),
        LivePublisher(stream),
    )
    broker = WorkerBroker(queue_settings, writer, stream)
    spans = SpanWriter(database, load_settings(RedactionSettings).make_redactor())
    _register_writing(broker, queue_settings, writer, spans)
    merger = RollupMerger(database, load_settings(RollupSettings))
    alerts = AlertJob(database, broker, Notifier(load_settings(NoticeSettings)))
    exporter = _make_exporter(storage)
    _register_upkeep(
        broker,
        database,
        retention_days=storage.retention_days,
        span_retention_days=storage.span_retention_days,
        merger=merger,
        alerts=alerts,
        exporter=exporter,
    )
    await wait_out("check the database schema", lambda: check_schema(database))
    # No log may arrive before its partition.
    await wait_out("make partitions", lambda: ensure_partitions(database, _today(), storage.retention_days))
    await wait_out(
        "make partitions of spans",
        lambda: ensure_span_partitions(database, _today(), storage.span_retention_days),
    )
    await broker.startup()
    _stop_on_signals(broker.stopping)
    receiver = LogReceiver(
        broker=broker,
        max_async_tasks=settings.concurrency,
        max_prefetch=0,
        run_startup=False,
        ack_type=AcknowledgeType.WHEN_EXECUTED,
        wait_tasks_timeout=settings.grace_s,
    )
    logger.info("worker ready", concurrency=settings.concurrency, compiled_reader=COMPILED)
    jobs = {
        asyncio.create_task(merger.run(), name="rollup-merger"),
        asyncio.create_task(DigestMaker(database).run(), name="digest-maker"),
        asyncio.create_task(alerts.run(), name="alerts"),
    }
    if exporter is not None:
        jobs.add(asyncio.create_task(exporter.run(), name="log-exporter"))
    try:
        await receiver.listen(broker.stopping)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)
        await broker.shutdown()
        if exporter is not None:
            await exporter.close()
        await database.close()
        logger.info("worker stopped")


def _register_writing(
    broker: WorkerBroker, settings: QueueSettings, writer: LogWriter, spans: SpanWriter
) -> None:
    # taskiq names the functions it registers, which a bound method does not allow.
    async def write_batches(batches: list[QueuedBatch]) -> None:
        await writer.write_batches(read_batches(batches))

    async def write_spans(batches: list[QueuedBatch]) -> None:
        await spans.write_batches(read_batches(batches))

    broker.register_task(write_spans, task_name=WRITE_SPANS)
    broker.register_task(write_batches, task_name=WRITE_LOGS)
    broker.add_middlewares(RetryMiddleware(broker, settings.max_attempts))


def _make_exporter(storage: StorageSettings) -> LogExporter | None:
    """Return what writes the lake; None where there is none."""
    settings = load_settings(LakeSettings)
    store = settings.open_store()
    if store is None:
        return None
    # pyarrow takes a third of a second and 40 MB, which only workers with a lake should spend.
    from worker.tasks.export_logs import LogExporter  # noqa: PLC0415

    return LogExporter(Database(storage), store, settings)


def _register_upkeep(
    broker: WorkerBroker,
    database: Database,
    *,
    retention_days: int,
    span_retention_days: int,
    merger: RollupMerger,
    alerts: AlertJob,
    exporter: LogExporter | None,
) -> None:
    async def forget_minutes() -> None:
        await merger.forget_minutes()

    async def make_partitions() -> None:
        await ensure_partitions(database, _today(), retention_days)
        await ensure_span_partitions(database, _today(), span_retention_days)

    async def run_retention() -> None:
        await forget_request_ids(database)
        if retention_days:
            await alerts.forget(retention_days)
        await forget_exports(database)
        await drop_old_logs(database, _today(), retention_days, exporter)
        await drop_old_spans(database, _today(), span_retention_days)

    async def queue_exports() -> None:
        if exporter is not None:
            await exporter.queue_exports()

    broker.register_task(forget_minutes, task_name=FORGET_MINUTES)
    broker.register_task(queue_exports, task_name=QUEUE_EXPORTS)
    broker.register_task(make_partitions, task_name=MAKE_PARTITIONS)
    broker.register_task(run_retention, task_name=APPLY_RETENTION)


def _today() -> date:
    return datetime.now(UTC).date()


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
