"""`llm-observe alerts list`."""

from __future__ import annotations

from typing import Final

import click
from llm_observe.v1 import alert_service_pb2 as pb

from stack.cli.alerts.common import TIMEOUT_S, alert_service, format_time, word_of
from stack.cli.output import hint, json_option, print_items

_COLUMNS: Final = ("since (UTC)", "state", "alert", "summary", "notices")


@click.command(name="list")
@click.option("--past", is_flag=True, help="Show resolved alerts instead.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many at most."
)
@json_option
def list_alerts(*, past: bool, limit: int, as_json: bool) -> None:
    """List pending and firing alerts, newest first."""
    states = [pb.ALERT_STATE_RESOLVED] if past else []
    with alert_service() as service:
        response = service.ListAlerts(pb.ListAlertsRequest(states=states, page_size=limit), timeout=TIMEOUT_S)
    nothing = "no past alerts" if past else "nothing fires"
    print_items(response.alerts, _COLUMNS, _row, as_json=as_json, nothing=nothing)
    if response.next_page_token:
        hint("there are more: use a larger --limit")


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
