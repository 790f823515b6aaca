"""Starts what a process tells of itself, as its settings ask, and ends it within two seconds."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from telemetry import metrics, tracing
from telemetry.otel_settings import TelemetrySettings
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry

_STOP_S: Final = 1.5
"""How long the end of a process waits for the collector, in seconds: with all else, no more than two."""


@contextmanager
def recording(process: str, version: str, *, one_of_several: bool = False) -> Iterator[None]:
    """Record traces and metrics while the context lasts; without settings, do nothing.

    Args:
        process: ``server``, ``worker`` or ``scheduler``.
        version: Of the product.
        one_of_several: A parent exposes what the processes count together; see exposing_children().

    Raises:
        SettingsError: A setting is wrong, or the port for metrics is taken.
    """
    settings = load_settings(TelemetrySettings)
    with ExitStack() as stack:
        closers: list[Callable[[], object]] = []
        stack.callback(_close, closers)
        if settings.sends_traces:
            from telemetry.otlp_traces import OtlpTracer  # noqa: PLC0415 - it takes 0.7 s

            tracer = OtlpTracer(process, follows_callers=settings.follows_callers)
            tracing.install(tracer)
            stack.callback(tracing.install, None)
            closers.append(tracer.shutdown)
        if settings.has_metrics:
            from telemetry.prometheus import new_registry, unbind  # noqa: PLC0415 - as above

            registry = new_registry(process, shared=one_of_several)
            stack.callback(unbind)
            metrics.BUILD_INFO.child(version).record(1)
            if not one_of_several:
                _expose(settings, registry, process, stack, closers)
        yield


@contextmanager
def exposing_children(process: str) -> Iterator[Callable[[int], None]]:
    """Expose the metrics of the processes that are started inside, at one address.

    Yields:
        What to call with the id of a process that has ended.

    Raises:
        SettingsError: As for recording().
    """
    settings = load_settings(TelemetrySettings)
    if not settings.has_metrics:
        yield lambda _pid: None
        return
    from telemetry.prometheus import forget_process, shared_registry  # noqa: PLC0415 - as above

    with ExitStack() as stack:
        registry = stack.enter_context(shared_registry())
        closers: list[Callable[[], object]] = []
        stack.callback(_close, closers)
        _expose(settings, registry, process, stack, closers)
        yield forget_process


def _expose(
    settings: TelemetrySettings,
    registry: CollectorRegistry,
    process: str,
    stack: ExitStack,
    closers: list[Callable[[], object]],
) -> None:
    if settings.metrics_port:
        from telemetry.prometheus import serving  # noqa: PLC0415 - as above

        stack.enter_context(serving(settings, registry))
    if settings.sends_metrics:
        from telemetry.otlp_metrics import MetricSender  # noqa: PLC0415 - as above

        closers.append(MetricSender(registry, process, settings.metric_interval_ms / 1000).shutdown)


def _close(closers: list[Callable[[], object]]) -> None:
    """Close in daemon threads, and leave those behind that wait for a collector that is away."""
    threads = [threading.Thread(target=closer, daemon=True) for closer in closers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _STOP_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
