"""`llm-observe alerts`: rules, budgets, channels, and what fires."""

from __future__ import annotations

import click

from stack.cli.alerts.budgets import budgets
from stack.cli.alerts.channels import channels
from stack.cli.alerts.listing import list_alerts
from stack.cli.alerts.rules import rules


@click.group()
def alerts() -> None:
    """List alerts; manage rules and budgets."""


for _command in (list_alerts, rules, budgets, channels):
    alerts.add_command(_command)
