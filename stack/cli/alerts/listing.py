"""`llm-observe alerts list`."""

from __future__ import annotations

from typing import Final

import click
from llm_observe.v1 import alert_service_pb2 as pb

from stack.cli.alerts.common import TIMEOUT_S, alert_service, format_time, word_of
from stack.cli.output import print_table

_COLUMNS: Final = ("since (UTC)", "state", "alert", "summary", "notices")


@click.command(name="list")
@click.option("--past", is_flag=True, help="Show resolved alerts instead.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
def list_alerts(past: bool, limit: int) -> None:  # noqa: FBT001 - click passes flags by name
    """List alerts that are pending or fire, newest first."""
    states = [pb.ALERT_STATE_RESOLVED] if past else []
    with alert_service() as service:
        response = service.ListAlerts(pb.ListAlertsRequest(states=states, page_size=limit), timeout=TIMEOUT_S)
    if not response.alerts:
        click.echo("no past alerts" if past else "nothing fires", err=True)
        return
    print_table(_COLUMNS, map(_row, response.alerts))
    if response.next_page_token:
        click.echo("there are more: use a larger --limit", err=True)


def _row(alert: pb.Alert) -> tuple[str, ...]:
    return (
        format_time(alert.start_time),
        word_of(pb.AlertState, alert.state, "ALERT_STATE_"),
        alert.labels["alertname"],
        alert.summary,
        ", ".join(map(_delivery, alert.deliveries)) or "none",
    )


def _delivery(delivery: pb.NoticeDelivery) -> str:
    state = word_of(pb.DeliveryState, delivery.state, "DELIVERY_STATE_")
    return f"{state} ({delivery.last_error})" if delivery.last_error else state
