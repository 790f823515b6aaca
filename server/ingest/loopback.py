"""Takes the logs of chat's own calls from the SDK in this process, under the projects that chatted."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from llm_observe import ExportResult
from llm_observe.ids import uuid7
from llm_observe.trace_context import traceparents
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport

from server.ingest.request import decode_batch
from server.rpc.errors import ApiError
from storage.api_keys import DEFAULT_PROJECT

if TYPE_CHECKING:
    from llm_observe.v1.ingest_service_pb2 import IngestLogsResponse
    from llm_observe.v1.log_pb2 import Log

    from server.ingest.service import IngestService

_MAX_CALLS: Final = 100_000
"""Calls whose project is remembered until they are logged."""


class _Delivery:
    """A batch of the SDK on its way, over all attempts to deliver it: a retry keeps its numbers."""

    def __init__(self, batch_number: int) -> None:
        self.batch_number = batch_number
        self.reports: dict[str, ProducerReport] = {}
        """By project: what its part says of the producer."""
        self.accepted: dict[str, IngestLogsResponse] = {}
        """By project: how its part was answered. It is not queued again."""


class LoopbackExporter:
    """The SDK's exporter in the server's process. In the ledger, each project sees a producer of its own."""

    def __init__(self, ingest: IngestService) -> None:
        self._ingest = ingest
        self._loop = asyncio.get_running_loop()
        self._project_of: OrderedDict[str, str] = OrderedDict()
        self._reports: dict[str, ProducerReport] = {}
        self._delivery = _Delivery(0)

    def register(self, log_id: str, project_id: str) -> None:
        """Remember the project of a call."""
        self._project_of[log_id] = project_id
        while len(self._project_of) > _MAX_CALLS:
            self._project_of.popitem(last=False)

    def export(self, request: IngestLogsRequest, timeout_s: float) -> ExportResult:
        """Queue a batch; see llm_observe.Exporter. Called on the SDK's thread."""
        accepting = self._accept(request)
        try:
            done = asyncio.run_coroutine_threadsafe(accepting, self._loop)
        except RuntimeError:  # the loop is closed: the server has stopped
            accepting.close()
            return ExportResult(failure="CANCELLED")
        try:
            return done.result(timeout_s)
        except ApiError as error:
            return ExportResult(retry=True, retry_after_s=error.retry_after_s or 0, failure=error.code.name)
        except TimeoutError:
            done.cancel()
            return ExportResult(retry=True, failure="DEADLINE_EXCEEDED")

    async def _accept(self, request: IngestLogsRequest) -> ExportResult:
        if request.producer.batch_number != self._delivery.batch_number:
            self._delivery = _Delivery(request.producer.batch_number)
        delivery = self._delivery
        for project_id, logs in self._by_project(request).items():
            if project_id in delivery.accepted:
                continue
            if project_id not in delivery.reports:
                delivery.reports[project_id] = self._next_report(project_id, request.producer, len(logs))
            part = IngestLogsRequest(logs=logs, producer=delivery.reports[project_id]).SerializeToString()
            delivery.accepted[project_id] = await self._ingest.accept(
                decode_batch(part), project_id, ",".join(traceparents(logs))
            )
        for log in request.logs:
            self._project_of.pop(log.log_id, None)
        return ExportResult(
            accepted=sum(answer.accepted_log_count for answer in delivery.accepted.values()),
            rejected=sum(answer.rejected_log_count for answer in delivery.accepted.values()),
        )

    def _by_project(self, request: IngestLogsRequest) -> dict[str, list[Log]]:
        groups: dict[str, list[Log]] = {}
        for log in request.logs:
            groups.setdefault(self._project_of.get(log.log_id, DEFAULT_PROJECT), []).append(log)
        return groups

    def _next_report(self, project_id: str, original: ProducerReport, count: int) -> ProducerReport:
        report = self._reports.get(project_id)
        if report is None:
            report = self._reports[project_id] = ProducerReport(
                producer_id=uuid7(), sdk_name=original.sdk_name, sdk_version=original.sdk_version
            )
        report.batch_number += 1
        report.logged_count += count
        report.sent_count += count
        if project_id == DEFAULT_PROJECT:  # whose the dropped calls were is not known
            report.dropped_counts.update(original.dropped_counts)
        return ProducerReport.FromString(report.SerializeToString())
