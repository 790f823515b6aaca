"""A producer's batch between the server and the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from storage.incoming import BatchReport, IncomingLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.log_pb2 import Log


class AcceptedBatch(NamedTuple):
    """One producer's logs, checked and ready to be stored."""

    payload: bytes
    """A serialized IngestLogsRequest, accepted logs only."""
    project_id: str
    """The project that owns them."""
    receive_time_us: int
    """When they were accepted, in microseconds since 1970; orders corrections."""
    log_count: int
    """Logs in the batch as it came, rejected ones included."""
    rejected_count: int
    """Logs that were rejected."""
    traceparents: str = ""
    """The sampled spans that it comes from, as values of ``traceparent`` separated by commas."""


class ArrivedLog(IncomingLog, Protocol):
    """A redacted and priced log of a batch, ready to be stored."""

    @property
    def batch(self) -> BatchReport:
        """The batch it came in."""

    def message(self) -> Log:
        """Return the log, redacted and priced."""


class InvalidMessage(NamedTuple):
    """A redacted log that no row can hold, and why."""

    message: Log
    violation: str


class ReadBatch(NamedTuple):
    """A batch as it is read."""

    report: BatchReport
    logs: Sequence[ArrivedLog]
    invalid: Sequence[InvalidMessage]
    """Logs that the server would have rejected: they come from somewhere else."""
