"""What is given to storage to write: logs, and the batches in which they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    RollupKey = tuple[str, datetime, str, str, str, str]
    """The values of ROLLUP_KEY."""


class IncomingLog(Protocol):
    """A log to write."""

    @property
    def log_id(self) -> UUID: ...
    @property
    def project_id(self) -> str: ...
    @property
    def start_time(self) -> datetime: ...
    @property
    def receive_time(self) -> datetime: ...
    @property
    def packed_row(self) -> bytes:
        """A tuple of COPY's binary format with LOG_COLUMNS."""

    @property
    def packed_key(self) -> bytes:
        """Likewise with KEY_COLUMNS."""

    @property
    def rollup_key(self) -> RollupKey:
        """Of the rollup that counts it."""

    @property
    def rollup_sums(self) -> Sequence[int]:
        """What it adds to that rollup, in the order of ROLLUP_SUMS."""

    @property
    def latency_bucket(self) -> int | None: ...
    @property
    def ttft_bucket(self) -> int | None: ...
    @property
    def error_code(self) -> str | None:
        """Of a call that failed; '' where its code is unknown."""


class Sums(NamedTuple):
    """What new logs add to the rollups."""

    deltas: Sequence[bytes]
    """Tuples of COPY's binary format with DELTA_COLUMNS, one for each group."""
    hours: frozenset[tuple[str, datetime]]
    """The projects and UTC hours in which the logs are counted."""
    priced_count: int
    """Logs with a cost."""


class BatchReport(NamedTuple):
    """A batch as its producer sent it. Totals are the producer's own, since it started."""

    project_id: str
    producer_id: str
    """Empty where the producer is unknown: then the ledger has no entry of it."""
    batch_number: int
    """From 1; 0 for what came back from dead letters one by one."""
    receive_time: datetime
    log_count: int
    """Logs in the batch as it came, rejected ones included."""
    rejected_count: int
    sent_total: int
    dropped_totals: str
    """JSON: reason to count."""
    sdk: str


class BatchPart(NamedTuple):
    """Logs of a batch that are written together."""

    report: BatchReport
    logs: Sequence[IncomingLog]
