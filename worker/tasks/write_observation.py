"""Observes transactions that store logs: a span that continues the batches' traces, and metrics."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from codec.extensions import add_up
from storage.errors import StorageError, StorageUnavailable
from telemetry import metrics, tracing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from storage.incoming import IncomingLog, Sums
    from storage.log_writes import WriteResult
    from telemetry.tracing import AnySpan, Attributes

_MAX_LINKS: Final = 128
"""Spans that a span can be linked to, by OpenTelemetry's default."""
_STORED: Final = metrics.WRITTEN_LOGS.child("stored")
_REPLACED: Final = metrics.WRITTEN_LOGS.child("replaced")
_STALE: Final = metrics.WRITTEN_LOGS.child("stale")
_UNPRICED: Final = metrics.UNPRICED_LOGS.child()
_LOGS: Final = metrics.WRITE_LOGS.child()
_OK: Final = metrics.WRITE_DURATION.child("ok")
_UNAVAILABLE: Final = metrics.WRITE_DURATION.child("unavailable")
_REFUSED: Final = metrics.WRITE_DURATION.child("refused")


class WriteObservation:
    """What becomes of one transaction."""

    def __init__(self, span: AnySpan) -> None:
        self._span = span
        self._unpriced = 0

    def add_up(self, logs: Sequence[IncomingLog]) -> Sums:
        """Return what logs add to the rollups, and note how many have no price."""
        sums = add_up(logs)
        if metrics.is_on():
            self._unpriced = len(logs) - sums.priced_count
        return sums

    def note(self, result: WriteResult) -> None:
        """Note what was written."""
        _STORED.record(result.stored)
        _REPLACED.record(result.replaced)
        _STALE.record(result.stale)
        _UNPRICED.record(self._unpriced)
        self._span.set(
            {
                "llm_observe.logs.stored": result.stored,
                "llm_observe.logs.replaced": result.replaced,
                "llm_observe.logs.stale": result.stale,
            }
        )


@contextmanager
def observed_write(
    log_count: int, batch_count: int, traceparents: Sequence[str]
) -> Iterator[WriteObservation]:
    """Observe the transaction that is made inside.

    Args:
        log_count: Logs that it stores.
        batch_count: Batches that they come from.
        traceparents: The spans that these come from. Without any there is no span.
    """
    begin, result = time.perf_counter(), _UNAVAILABLE  # so is what was cancelled
    with _open_span(batch_count, list(dict.fromkeys(traceparents))[:_MAX_LINKS]) as span:
        try:
            yield WriteObservation(span)
        except StorageError as error:
            result = _UNAVAILABLE if isinstance(error, StorageUnavailable) else _REFUSED
            span.fail(type(error).__name__)
            raise
        else:
            result = _OK
        finally:
            result.record(time.perf_counter() - begin)
            _LOGS.record(log_count)


def _open_span(batch_count: int, parents: Sequence[str]) -> AnySpan:
    if not parents:
        return tracing.NO_SPAN
    attributes: Attributes = {
        "messaging.system": "redis",
        "messaging.operation.name": "write_logs",
        "messaging.operation.type": "process",
        "messaging.batch.message_count": batch_count,
    }
    return tracing.open_span("process logs", "consumer", attributes, parents)
