"""Reads what the sidebar says of the server. All functions raise ServerError if the call fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import health_service_pb2 as health
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from streamlit_app.data.connection import channel, server_errors, settings

if TYPE_CHECKING:
    from llm_observe.v1.filter_pb2 import TimeRange

_MAX_PAGES: Final = 3


class Ledger(NamedTuple):
    """What producers sent in a window, and what became of it. All are numbers of logs but missing batches."""

    sent: int = 0
    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    dead: int = 0
    dropped: int = 0
    missing_batches: int = 0
    is_whole: bool = True
    """False if there were more entries than were read."""

    @property
    def queued(self) -> int:
        """Logs that have arrived and are not stored yet."""
        return max(0, self.sent - self.stored - self.duplicate - self.rejected - self.dead)


def check_health() -> health.CheckResponse:
    """Return the state of the server and of what it depends on."""
    with server_errors():
        return HealthServiceStub(channel()).Check(health.CheckRequest(), timeout=settings().timeout_s)


def sum_ledger(time_range: TimeRange) -> Ledger:
    """Return the sums of the delivery ledger."""
    request = admin.QueryLedgerRequest(time_range=time_range, page_size=1000)
    total = Ledger()
    for _ in range(_MAX_PAGES):
        with server_errors():
            answer = AdminServiceStub(channel()).QueryLedger(request, timeout=settings().timeout_s)
        for entry in answer.entries:
            total = _add(total, entry)
        if not answer.next_page_token:
            return total
        request.page_token = answer.next_page_token
    return total._replace(is_whole=False)


def _add(total: Ledger, entry: admin.LedgerEntry) -> Ledger:
    return Ledger(
        total.sent + entry.sent_count,
        total.stored + entry.stored_count,
        total.duplicate + entry.duplicate_count,
        total.rejected + entry.rejected_count,
        total.dead + entry.dead_lettered_count,
        total.dropped + sum(entry.dropped_counts.values()),
        total.missing_batches + entry.missing_batch_count,
    )
