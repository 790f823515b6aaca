"""Sends a Prometheus registry by OTLP, so that both see the same numbers. Imported only where it is used."""

from __future__ import annotations

import math
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import structlog
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from telemetry import metrics
from telemetry.resource import make_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric as Family
    from prometheus_client.samples import Sample

logger = structlog.get_logger("telemetry.otlp_metrics")

_CUMULATIVE = sdk.AggregationTemporality.CUMULATIVE


class MetricSender:
    """Sends every ``interval_s`` seconds from a daemon thread, and once more when it is closed."""

    def __init__(self, registry: CollectorRegistry, process: str, interval_s: float) -> None:
        self._registry = registry
        self._resource = make_resource(process)
        self._exporter = OTLPMetricExporter()
        self._interval_s = interval_s
        self._start_ns = time.time_ns()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp-metrics", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            try:
                self._send()
            except (
                Exception
            ):  # a process that starts has files that cannot be read yet; the next time they can
                logger.exception("metrics not sent")

    def _send(self) -> None:
        found = list(_to_metrics(self._registry.collect(), self._start_ns, time.time_ns()))
        scope = sdk.ScopeMetrics(InstrumentationScope("llm_observe"), found, "")
        self._exporter.export(sdk.MetricsData([sdk.ResourceMetrics(self._resource, [scope], "")]))

    def shutdown(self) -> None:
        """Send once more. It may take half a minute where the collector is away."""
        self._stopping.set()
        self._thread.join()
        self._send()
        self._exporter.shutdown()


def _to_metrics(families: Iterable[Family], start_ns: int, now_ns: int) -> Iterator[sdk.Metric]:
    units = {metric.name.removesuffix("_total"): metric.unit for metric in metrics.TABLE}
    updown = {metric.name for metric in metrics.TABLE if metric.kind == "updown"}
    for family in families:
        data: sdk.Histogram | sdk.Sum | sdk.Gauge
        if family.type == "histogram":
            data = sdk.Histogram(list(_histogram_points(family.samples, start_ns, now_ns)), _CUMULATIVE)
        else:
            points = [
                sdk.NumberDataPoint(dict(sample.labels), start_ns, now_ns, sample.value)
                for sample in family.samples
                if not math.isnan(sample.value)
            ]
            if family.type == "counter":
                data = sdk.Sum(points, _CUMULATIVE, is_monotonic=True)
            elif family.name in updown:
                data = sdk.Sum(points, _CUMULATIVE, is_monotonic=False)
            else:
                data = sdk.Gauge(points)
        if data.data_points:
            yield sdk.Metric(family.name, family.documentation, units.get(family.name, ""), data)


def _histogram_points(
    samples: Iterable[Sample], start_ns: int, now_ns: int
) -> Iterator[sdk.HistogramDataPoint]:
    """Put the samples of each child together: Prometheus counts up to a bound, OTLP between two."""
    children: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for sample in samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        values = children.setdefault(tuple(sorted(labels.items())), {})
        values[sample.labels.get("le", sample.name.rpartition("_")[2])] = sample.value
    for labels_of, values in children.items():
        total, count = values.pop("sum"), int(values.pop("count"))
        bounds = sorted(
            (math.inf if bound == "+Inf" else float(bound), value) for bound, value in values.items()
        )
        up_to = [0, *(int(value) for _, value in bounds)]
        yield sdk.HistogramDataPoint(
            attributes=dict(labels_of),
            start_time_unix_nano=start_ns,
            time_unix_nano=now_ns,
            count=count,
            sum=total,
            bucket_counts=[after - before for before, after in pairwise(up_to)],
            explicit_bounds=[bound for bound, _ in bounds[:-1]],
            min=None,  # type: ignore[arg-type] # OTLP has it optional, and Prometheus does not know it
            max=None,  # type: ignore[arg-type] # as above
        )
