"""The thread that sends metrics outlives whatever goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import cast

from prometheus_client import CollectorRegistry

from telemetry import otlp_metrics

WAIT_S = 60


class Registry:
    """Cannot be read at first."""

    def __init__(self) -> None:
        self._has_failed = False
        self.read = threading.Event()

    def collect(self) -> Iterable[object]:
        if not self._has_failed:
            self._has_failed = True
            raise ValueError("a file without its head")
        self.read.set()
        return ()


class Exporter:
    def export(self, _metrics: object) -> None:
        pass

    def shutdown(self) -> None:
        pass


def test_metrics_that_cannot_be_read_once_are_sent_later(monkeypatch):
    monkeypatch.setattr(otlp_metrics, "OTLPMetricExporter", Exporter)
    registry = Registry()
    sender = otlp_metrics.MetricSender(cast("CollectorRegistry", registry), "server", 0.001)
    assert registry.read.wait(WAIT_S)
    sender.shutdown()
