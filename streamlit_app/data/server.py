"""Reads what the sidebar says of the server. All functions raise ServerError if the call fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import health_service_pb2 as health
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from streamlit_app import clock
from streamlit_app.data.connection import channel, server_errors, settings
from streamlit_app.data.queue_history import HISTORY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.filter_pb2 import TimeRange

_MAX_PAGES: Final = 3
_DEFAULT_PROJECT: Final = "default"


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

    @property
    def lost(self) -> int:
        """What is not stored and will not be by itself: logs, and batches that never arrived."""
        return self.dead + self.dropped + self.rejected + self.missing_batches


def check_health() -> health.CheckResponse:
    """Return the state of the server and of what it depends on; the queue's is remembered."""
    with server_errors():
        answer = HealthServiceStub(channel()).Check(health.CheckRequest(), timeout=settings().timeout_s)
    if answer.HasField("queue"):
        HISTORY.add(answer.queue, clock.now())
    return answer


def list_projects() -> list[admin.Project]:
    """Return the projects that the app's key gives access to."""
    with server_errors():
        answer = AdminServiceStub(channel()).ListProjects(
            admin.ListProjectsRequest(), timeout=settings().timeout_s
        )
    return list(answer.projects)


def shown_project(projects: list[admin.Project]) -> admin.Project | None:
    """Return the project that is shown: the key's, or the default one where no key is needed."""
    only = projects[0] if len(projects) == 1 else None
    return next((project for project in projects if project.project_id == _DEFAULT_PROJECT), only)


class LedgerEntries(NamedTuple):
    """What each producer sent in each hour of a window, newest hour first."""

    entries: Sequence[admin.LedgerEntry] = ()
    is_whole: bool = True
    """False if there were more than were read."""

    def sum(self) -> Ledger:
        """Return the sums of all."""
        total = Ledger(is_whole=self.is_whole)
        for entry in self.entries:
            total = add_entry(total, entry)
        return total


def read_ledger(time_range: TimeRange) -> LedgerEntries:
    """Return the delivery ledger of a window."""
    request = admin.QueryLedgerRequest(time_range=time_range, page_size=1000)
    entries: list[admin.LedgerEntry] = []
    for _ in range(_MAX_PAGES):
        with server_errors():
            answer = AdminServiceStub(channel()).QueryLedger(request, timeout=settings().timeout_s)
        entries += answer.entries
        if not answer.next_page_token:
            return LedgerEntries(entries)
        request.page_token = answer.next_page_token
    return LedgerEntries(entries, is_whole=False)


def sum_ledger(time_range: TimeRange) -> Ledger:
    """Return the sums of the delivery ledger of a window."""
    return read_ledger(time_range).sum()


def add_entry(total: Ledger, entry: admin.LedgerEntry) -> Ledger:
    """Return the sums with those of one more entry."""
    return Ledger(
        total.sent + entry.sent_count,
        total.stored + entry.stored_count,
        total.duplicate + entry.duplicate_count,
        total.rejected + entry.rejected_count,
        total.dead + entry.dead_lettered_count,
        total.dropped + sum(entry.dropped_counts.values()),
        total.missing_batches + entry.missing_batch_count,
        total.is_whole,
    )
