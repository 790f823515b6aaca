"""A custom exporter receives the batches, and no endpoint is needed."""

from __future__ import annotations

import llm_observe
import pytest


class RecordingExporter:
    def __init__(self, *results: llm_observe.ExportResult) -> None:
        self.batches: list[list[str]] = []
        self._results = list(results)

    def export(self, request, timeout_s: float) -> llm_observe.ExportResult:
        assert timeout_s > 0
        self.batches.append([log.model for log in request.logs])
        return self._results.pop(0) if self._results else llm_observe.ExportResult(accepted=len(request.logs))


@pytest.fixture
def configure():
    yield llm_observe.configure
    llm_observe.configure(endpoint="")


def test_a_custom_exporter_receives_the_logs(configure):
    exporter = RecordingExporter()
    configure(exporter=exporter)
    llm_observe.log(provider="mine", model="m")
    result = llm_observe.flush(10)
    assert exporter.batches == [["m"]]
    assert (result.sent, result.dropped, result.pending) == (1, 0, 0)


def test_a_batch_is_exported_again_on_retry(configure):
    exporter = RecordingExporter(llm_observe.ExportResult(retry=True, failure="AWAY"))
    configure(exporter=exporter)
    llm_observe.log(provider="mine", model="m")
    assert llm_observe.flush(10).sent == 1
    assert exporter.batches == [["m"], ["m"]]


def test_a_failed_batch_is_dropped(configure):
    configure(exporter=RecordingExporter(llm_observe.ExportResult(failure="NO")))
    llm_observe.log(provider="mine", model="m")
    assert llm_observe.flush(10).dropped == 1


def test_without_exporter_and_endpoint_nothing_is_recorded(configure):
    configure(endpoint="")
    llm_observe.log(provider="mine", model="m")
    result = llm_observe.flush(1)
    assert (result.sent, result.dropped, result.pending) == (0, 0, 0)
