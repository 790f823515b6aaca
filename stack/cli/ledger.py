"""`llm-observe ledger`: what each producer sent, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import click
from llm_observe.v1 import admin_service_pb2 as pb

from stack.cli.output import hint, json_option, print_items
from stack.cli.server import admin_service

_TIMEOUT_S: Final = 10.0
_COLUMNS: Final = (
    "hour (UTC)", "producer", "sent", "stored", "duplicate", "rejected", "dead", "dropped", "lost"
)  # fmt: skip


@click.command()
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1, 8760), help="How far back.")
@click.option("--producer", default="", help="Show only the producer with this id.")
@json_option
def ledger(*, hours: int, producer: str, as_json: bool) -> None:
    """Show what each producer sent in each hour.

    "dead" counts logs in dead letters, "dropped" logs that the producer discarded before sending them, and
    "lost" batches that were sent and never arrived.
    """
    request = pb.QueryLedgerRequest(producer_id=producer, page_size=1000)
    request.time_range.start_time.FromDatetime(datetime.now(UTC) - timedelta(hours=hours))
    with admin_service() as admin:
        response = admin.QueryLedger(request, timeout=_TIMEOUT_S)
    nothing = f"no producer sent anything in the last {hours} hours"
    print_items(response.entries, _COLUMNS, _row, as_json=as_json, nothing=nothing)
    if response.next_page_token:
        hint("there are more entries: use a smaller --hours")


def _row(entry: pb.LedgerEntry) -> tuple[str | int, ...]:
    return (
        entry.hour.ToDatetime().strftime("%Y-%m-%d %H:00"),
        entry.producer_id,
        entry.sent_count,
        entry.stored_count,
        entry.duplicate_count,
        entry.rejected_count,
        entry.dead_lettered_count,
        sum(entry.dropped_counts.values()),
        entry.missing_batch_count,
    )
