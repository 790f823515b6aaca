"""A producer's batch between the server and the worker."""

from __future__ import annotations

from typing import NamedTuple


class AcceptedBatch(NamedTuple):
    """One producer's logs, checked and ready to be stored."""

    payload: bytes
    """A serialized IngestLogsRequest, accepted logs only."""
    project_id: str
    """Whose logs they are."""
    receive_time_us: int
    """When they were accepted, in microseconds since 1970; orders corrections."""
    log_count: int
    """Logs in the batch as it came, rejected ones included."""
    rejected_count: int
    """Logs that were rejected."""
