"""The table of metrics: every number that a process counts about itself.

A module keeps the children that it needs, one for each combination of labels, and calls their ``record``:

    _ACCEPTED = metrics.INGEST_LOGS.child("accepted")
    _ACCEPTED.record(3)

Recording does nothing until a registry is bound (telemetry.prometheus), and no label is looked up then.
Labels have few values, all of them ours: no name, text or address that a caller chooses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Record: TypeAlias = Callable[[float], object]
    Bind: TypeAlias = Callable[["Metric"], Callable[[Sequence[str]], Record]]
    """Makes a metric, and then what records each of its children."""

Kind = Literal["counter", "histogram", "gauge", "updown"]
"""A counter only grows; an updown counter grows and shrinks by what is recorded; a gauge is set to it."""
Process = Literal["server", "worker", "every process"]

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_COUNTS: Final = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0)


def _nothing(_amount: float) -> None:
    pass


class Child:
    """A metric with its labels filled in."""

    __slots__ = ("record",)

    def __init__(self) -> None:
        self.record: Record = _nothing
        """Adds an amount to a counter, observes a value, or sets a gauge."""


class Metric:
    """One line of the table.

    Args:
        name: As Prometheus knows it.
        kind: How it is recorded.
        unit: Of its values: ``s`` or what is counted.
        help: One sentence.
        process: Which process records it.
        labels: Names of its labels.
        buckets: Upper bounds of a histogram.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        unit: str,
        help: str,  # noqa: A002 - the word of the format
        *,
        process: Process = "server",
        labels: tuple[str, ...] = (),
        buckets: tuple[float, ...] = (),
    ) -> None:
        self.name = name
        self.kind: Final = kind
        self.unit = unit
        self.help = help
        self.process: Final = process
        self.labels = labels
        self.buckets = buckets
        self._children: dict[tuple[str, ...], Child] = {}
        self._recorder: Callable[[Sequence[str]], Record] | None = None
        TABLE.append(self)

    def child(self, *values: str) -> Child:
        """Return the child with these values of the labels, the same each time."""
        found = self._children.get(values)
        if found is None:
            found = self._children[values] = Child()
            if self._recorder is not None:
                found.record = self._recorder(values)
        return found

    @property
    def is_bound(self) -> bool:
        """Whether it is counted."""
        return self._recorder is not None

    def bind(self, recorder: Callable[[Sequence[str]], Record] | None) -> None:
        """Have every child recorded, those to come as well; None ends that."""
        self._recorder = recorder
        for values, child in self._children.items():
            child.record = _nothing if recorder is None else recorder(values)


TABLE: Final[list[Metric]] = []


def is_on() -> bool:
    """Return whether anything is counted."""
    return BUILD_INFO.is_bound


BUILD_INFO: Final = Metric(
    "llm_observe_build_info", "gauge", "1", "Always 1; says which release runs.",
    process="every process", labels=("version",),
)  # fmt: skip

# -- server: RPCs --------------------------------------------------------------------------------------
RPC_DURATION: Final = Metric(
    "llm_observe_rpc_duration_seconds", "histogram", "s",
    "How long calls took, streams from their first to their last message.",
    labels=("method", "code"), buckets=_SECONDS,
)  # fmt: skip
RPC_OPEN_STREAMS: Final = Metric(
    "llm_observe_rpc_open_streams", "updown", "streams", "Streams of responses that are open.",
    labels=("method",),
)  # fmt: skip

# -- server: ingest and queue --------------------------------------------------------------------------
INGEST_LOGS: Final = Metric(
    "llm_observe_ingest_logs_total", "counter", "logs",
    "Logs that came, by result: accepted (queued), rejected (invalid), limited (over the rate limit), or "
    "refused (the queue was full or away).",
    labels=("result",),
)  # fmt: skip
INGEST_SPANS: Final = Metric(
    "llm_observe_ingest_spans_total", "counter", "span",
    "Spans that our SDK sent, by result: accepted (queued), or rejected (invalid).",
    labels=("result",),
)  # fmt: skip
OTLP_ITEMS: Final = Metric(
    "llm_observe_otlp_items_total", "counter", "item",
    "What came by OTLP, by result: accepted, rejected (wrong), folded (a call that another span shows), or "
    "dropped (not kept).",
    labels=("signal", "result"),
)  # fmt: skip
SPANS: Final = Metric(
    "llm_observe_spans_total", "counter", "span",
    "Spans that workers took from the queue, by result: stored, or refused (by the database, or unreadable).",
    process="worker", labels=("result",),
)  # fmt: skip
INGEST_BATCH_LOGS: Final = Metric(
    "llm_observe_ingest_batch_logs", "histogram", "logs", "Logs in a batch, as it came.", buckets=_COUNTS
)
QUEUE_APPEND_DURATION: Final = Metric(
    "llm_observe_queue_append_duration_seconds", "histogram", "s",
    "How long Redis took to take a message, by result: ok or error.",
    labels=("result",), buckets=_SECONDS,
)  # fmt: skip
QUEUE_MESSAGE_BATCHES: Final = Metric(
    "llm_observe_queue_message_batches", "histogram", "batches",
    "Batches that shared a message of the queue.", buckets=_COUNTS,
)  # fmt: skip

# -- server: chat --------------------------------------------------------------------------------------
PROVIDER_DURATION: Final = Metric(
    "llm_observe_provider_duration_seconds", "histogram", "s",
    "How long providers took to answer chat, by outcome: success, error or cancelled.",
    labels=("provider", "outcome"), buckets=_LONG_SECONDS,
)  # fmt: skip
PROVIDER_FIRST_TOKEN: Final = Metric(
    "llm_observe_provider_time_to_first_token_seconds", "histogram", "s",
    "How long providers took until the first text of an answer.",
    labels=("provider",), buckets=_LONG_SECONDS,
)  # fmt: skip

# -- server: the state of the stores, sampled every 15 seconds by each server --------------------------
DEPENDENCY_UP: Final = Metric(
    "llm_observe_dependency_up", "gauge", "1",
    "1 while a store (postgres, redis) answers, else 0; what is read from it is NaN then.",
    labels=("dependency",),
)  # fmt: skip
QUEUE_DEPTH: Final = Metric(
    "llm_observe_queue_depth", "gauge", "messages",
    "Messages that wait or are being written, delayed ones included.",
)  # fmt: skip
QUEUE_DELAYED: Final = Metric(
    "llm_observe_queue_delayed", "gauge", "messages", "Messages that wait for a retry."
)
QUEUE_AGE: Final = Metric(
    "llm_observe_queue_age_seconds", "gauge", "s", "Age of the oldest message; 0 when the queue is empty."
)
QUEUE_WORKERS: Final = Metric("llm_observe_queue_workers", "gauge", "workers", "Workers that are alive.")
DEAD_LETTERS: Final = Metric(
    "llm_observe_dead_letters", "gauge", "dead letters", "Dead letters that wait for a decision."
)
ROLLUP_LAG: Final = Metric(
    "llm_observe_rollup_lag_seconds",
    "gauge",
    "s",
    "Age of the oldest addition to rollups that is not merged.",
)
EXPORT_LAG: Final = Metric(
    "llm_observe_export_lag_seconds", "gauge", "s",
    "How long ago the oldest hour ended that should be in the lake and is not; 0 without a lake.",
)  # fmt: skip
ALERTS_UNDELIVERED: Final = Metric(
    "llm_observe_alert_messages_undelivered", "gauge", "messages",
    "Messages about alerts that could not be delivered in the last 24 hours.",
)  # fmt: skip
SDK_DROPPED: Final = Metric(
    "llm_observe_sdk_dropped_logs", "gauge", "logs",
    "Logs that SDKs dropped in the last 10 minutes by their own account (the ledger), by reason.",
    labels=("reason",),
)  # fmt: skip

# -- worker --------------------------------------------------------------------------------------------
WRITTEN_LOGS: Final = Metric(
    "llm_observe_written_logs_total", "counter", "logs",
    "Logs written, by result: stored (new), replaced (a correction), or stale (known already).",
    process="worker", labels=("result",),
)  # fmt: skip
WRITE_DURATION: Final = Metric(
    "llm_observe_write_duration_seconds", "histogram", "s",
    "How long transactions took that store logs, by result: ok, unavailable (tried again) or refused.",
    process="worker", labels=("result",), buckets=_SECONDS,
)  # fmt: skip
WRITE_LOGS: Final = Metric(
    "llm_observe_write_logs", "histogram", "logs", "Logs in a transaction.", process="worker", buckets=_COUNTS
)
UNPRICED_LOGS: Final = Metric(
    "llm_observe_unpriced_logs_total", "counter", "logs",
    "Logs without a price: the list has none for their model, or their tokens are unknown.",
    process="worker",
)  # fmt: skip
DEAD_LETTERED: Final = Metric(
    "llm_observe_dead_lettered_total", "counter", "dead letters", "Dead letters made, by reason.",
    process="worker", labels=("reason",),
)  # fmt: skip
RETRIES: Final = Metric(
    "llm_observe_queue_retries_total", "counter", "messages",
    "Messages put aside for a retry, by cause: outage (of a store) or failure (of the message).",
    process="worker", labels=("cause",),
)  # fmt: skip
