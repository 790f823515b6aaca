"""Metrics counted by Prometheus' client, and the port at which they are read."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from telemetry import metrics
from telemetry.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client import CollectorRegistry

    from telemetry.metrics import Metric, Record
    from telemetry.otel_settings import TelemetrySettings

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Prometheus' client reads it when it is imported: several processes then count in files in this folder."""


def new_registry(process: str, *, shared: bool = False) -> CollectorRegistry:
    """Bind the metrics of a process to a new registry, and return that.

    Args:
        process: As in the table. A metric of another process would be read as 0.
        shared: Whether a parent process adds up what several count.
    """
    if not shared:
        os.environ.pop(SHARED_FOLDER, None)
    import prometheus_client as client  # noqa: PLC0415 - SHARED_FOLDER must be decided by now

    client.disable_created_metrics()  # type: ignore[no-untyped-call] # it has no annotations
    registry = client.CollectorRegistry()
    for metric in metrics.TABLE:
        if metric.process in {process, "every process"}:
            metric.bind(_recorder(metric, registry))
    return registry


def unbind() -> None:
    """Let recording do nothing again."""
    for metric in metrics.TABLE:
        metric.bind(None)


def _recorder(metric: Metric, registry: CollectorRegistry) -> Callable[[Sequence[str]], Record]:
    import prometheus_client as client  # noqa: PLC0415 - as above

    about = (metric.name, metric.help, metric.labels)
    if metric.kind == "counter":
        counter = client.Counter(*about, registry=registry)
        return lambda values: (counter.labels(*values) if values else counter).inc
    if metric.kind == "histogram":
        histogram = client.Histogram(*about, registry=registry, buckets=metric.buckets)
        return lambda values: (histogram.labels(*values) if values else histogram).observe
    if metric.kind == "updown":
        total = client.Gauge(*about, registry=registry, multiprocess_mode="livesum")
        return lambda values: (total.labels(*values) if values else total).inc
    gauge = client.Gauge(*about, registry=registry, multiprocess_mode="livemostrecent")
    return lambda values: (gauge.labels(*values) if values else gauge).set


@contextmanager
def serving(settings: TelemetrySettings, registry: CollectorRegistry) -> Iterator[None]:
    """Let Prometheus read a registry while the context lasts.

    Raises:
        SettingsError: The port is taken, or the address is not one of this machine.
    """
    from prometheus_client import start_http_server  # noqa: PLC0415 - as above

    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError:
        raise SettingsError(
            "cannot serve metrics: set LLM_OBSERVE_METRICS_PORT to a free port, a different one for each "
            "process of this machine, and LLM_OBSERVE_METRICS_HOST to an address of this machine"
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def shared_registry() -> Iterator[CollectorRegistry]:
    """Let the processes that are started inside count together; yield what adds them up."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="llm-observe-metrics-"))
        os.environ[SHARED_FOLDER] = folder
        stack.callback(os.environ.pop, SHARED_FOLDER, None)
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - as above
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - as above

        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call] # it has no annotations
        yield registry


def forget_process(pid: int) -> None:
    """Take a process that has ended out of what is open; what it has counted stays."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - as above

    mark_process_dead(pid)  # type: ignore[no-untyped-call] # it has no annotations
