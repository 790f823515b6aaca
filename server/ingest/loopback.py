"""Chat's own calls are logged as any application's, under the project that chatted, without the network."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from llm_observe import ExportResult
from llm_observe.ids import uuid7
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport

from server.ingest.request import decode_batch
from server.rpc.auth import DEFAULT_PROJECT
from server.rpc.errors import ApiError

if TYPE_CHECKING:
    from llm_observe.v1.log_pb2 import Log

    from server.ingest.service import IngestService

_CALLS_MOST: Final = 100_000
"""Calls whose project is remembered until they are logged."""


class LoopbackExporter:
    """Takes what the SDK in this process would send. Each project sees a producer of its own."""

    def __init__(self, ingest: IngestService) -> None:
        self._ingest = ingest
        self._loop = asyncio.get_running_loop()
        self._project_of: OrderedDict[str, str] = OrderedDict()
        self._reports: dict[str, ProducerReport] = {}

    def register(self, log_id: str, project_id: str) -> None:
        """Remember whose call this is."""
        self._project_of[log_id] = project_id
        while len(self._project_of) > _CALLS_MOST:
            self._project_of.popitem(last=False)

    def export(self, request: IngestLogsRequest, timeout_s: float) -> ExportResult:
        """Put a batch of the SDK into the queue. Called on the SDK's thread."""
        taking = self._take(request)
        try:
            done = asyncio.run_coroutine_threadsafe(taking, self._loop)
        except RuntimeError:  # the loop is closed: this server is no more
            taking.close()
            return ExportResult(failure="CANCELLED")
        try:
            return done.result(timeout_s)
        except ApiError as error:
            return ExportResult(retry=True, retry_after_s=error.retry_after_s or 0, failure=error.code.name)
        except TimeoutError:
            done.cancel()
            return ExportResult(retry=True, failure="DEADLINE_EXCEEDED")

    async def _take(self, request: IngestLogsRequest) -> ExportResult:
        groups: dict[str, list[Log]] = {}
        for log in request.logs:
            groups.setdefault(self._project_of.get(log.log_id, DEFAULT_PROJECT), []).append(log)
        accepted = rejected = 0
        for project_id, logs in groups.items():
            report = self._next_report(project_id, request.producer, len(logs))
            batch = IngestLogsRequest(logs=logs, producer=report).SerializeToString()
            response = await self._ingest.accept(decode_batch(batch), project_id)
            accepted += response.accepted_log_count
            rejected += response.rejected_log_count
        for log in request.logs:
            self._project_of.pop(log.log_id, None)
        return ExportResult(accepted=accepted, rejected=rejected)

    def _next_report(self, project_id: str, whole: ProducerReport, count: int) -> ProducerReport:
        report = self._reports.get(project_id)
        if report is None:
            report = self._reports[project_id] = ProducerReport(
                producer_id=uuid7(), sdk_name=whole.sdk_name, sdk_version=whole.sdk_version
            )
        report.batch_number += 1
        report.logged_count += count
        report.sent_count += count
        if project_id == DEFAULT_PROJECT:  # what the SDK dropped is nobody's in particular
            report.dropped_counts.update(whole.dropped_counts)
        return report
