"""`llm-observe ledger`: what each producer sent, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import click
from llm_observe.v1 import admin_service_pb2 as pb

from stack.cli.server import admin_service

_TIMEOUT_S: Final = 10.0
_COLUMNS: Final = ("hour", "producer", "sent", "stored", "duplicate", "rejected", "dead", "dropped", "lost")
_LINE: Final = "{:13}  {:36}  {:>8}  {:>8}  {:>9}  {:>8}  {:>6}  {:>8}  {:>7}"


@click.command()
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1, 8760))
@click.option("--producer", default="", help="Only this producer's id.")
def ledger(hours: int, producer: str) -> None:
    """Show, per producer and hour, what was sent and what became of it.

    "lost" counts batches that never came, "dropped" what the producer gave up by its own account.
    """
    asked = pb.QueryLedgerRequest(producer_id=producer, page_size=1000)
    asked.time_range.start_time.FromDatetime(datetime.now(UTC) - timedelta(hours=hours))
    with admin_service() as admin:
        found = admin.QueryLedger(asked, timeout=_TIMEOUT_S)
    if not found.entries:
        click.echo("no producer has sent anything in this window")
        return
    click.echo(_LINE.format(*_COLUMNS))
    for entry in found.entries:
        click.echo(_line(entry))
    if found.next_page_token:
        click.echo("there are more: ask for fewer --hours")


def _line(entry: pb.LedgerEntry) -> str:
    return _LINE.format(
        entry.hour.ToDatetime().strftime("%Y-%m-%d %H"),
        entry.producer_id,
        entry.sent_count,
        entry.stored_count,
        entry.duplicate_count,
        entry.rejected_count,
        entry.dead_lettered_count,
        sum(entry.dropped_counts.values()),
        entry.missing_batch_count,
    )
