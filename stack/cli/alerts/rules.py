"""`llm-observe alerts rules`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from google.protobuf.field_mask_pb2 import FieldMask
from llm_observe.v1 import alert_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2 import Dimension
from llm_observe.v1.filter_pb2 import MetricFilter

from stack.cli.alerts.common import (
    FILTERS,
    NANO,
    TIMEOUT_S,
    LengthType,
    alert_service,
    channel_option,
    filter_options,
    format_time,
    metric_word,
)
from stack.cli.output import json_option, print_items

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

_METRICS: Final = tuple(map(metric_word, sorted(pb.AlertMetric.values())))[1:]
_SEVERITIES: Final = ("info", "warning", "critical")
_COLUMNS: Final = ("id", "name", "condition", "window", "by", "state", "evaluated (UTC)")


@click.group()
def rules() -> None:
    """Create, list, test and delete alert rules."""


@rules.command(name="create")
@click.argument("name")
@click.option("--metric", required=True, type=click.Choice(_METRICS), help="What is watched.")
@click.option("--above", type=float, help="Alert above this value; of cost, in US dollars.")
@click.option("--below", type=float, help="Alert below this value.")
@click.option("--relative", is_flag=True, help="Compare with the window before: 2 is twice as much.")
@click.option("--window", type=LengthType(), help="Length of the window, such as 5m, 1h or 30d.")
@click.option("--for", "for_", type=LengthType(), help="How long it must hold before it fires.")
@click.option("--keep", type=LengthType(), help="How long it must not hold before it is resolved.")
@click.option("--repeat", type=LengthType(), help="How often a notice is repeated.")
@click.option("--by", type=click.Choice(FILTERS), help="An alert for each value of this.")
@click.option("--min-requests", default=0, help="Fewer calls are no data.")
@click.option(
    "--severity",
    default="warning",
    show_default=True,
    type=click.Choice(_SEVERITIES),
    help="Told in notices.",
)
@filter_options
@channel_option
def create_rule(
    *,
    name: str,
    metric: str,
    above: float | None,
    below: float | None,
    relative: bool,
    window: Duration | None,
    for_: Duration | None,
    keep: Duration | None,
    repeat: Duration | None,
    by: str | None,
    min_requests: int,
    severity: str,
    channel_ids: tuple[str, ...],
    **filters: tuple[str, ...],
) -> None:
    """Create a rule and print its id."""
    if (above is None) == (below is None):
        raise click.UsageError("give either --above or --below")
    threshold = above if above is not None else below
    assert threshold is not None  # noqa: S101 - one is given
    rule = pb.AlertRule(
        display_name=name,
        metric=pb.AlertMetric.Value(f"ALERT_METRIC_{metric.upper()}"),
        comparison=pb.COMPARISON_BELOW if above is None else pb.COMPARISON_ABOVE,
        threshold=threshold * NANO if metric == "cost" and not relative else threshold,
        relative_to_previous=relative,
        window=window,
        for_duration=for_,
        keep_duration=keep,
        repeat_interval=repeat,
        group_by=Dimension.Value(f"DIMENSION_{(by or 'unspecified').upper()}"),
        min_request_count=min_requests,
        severity=pb.AlertSeverity.Value(f"ALERT_SEVERITY_{severity.upper()}"),
        filter=MetricFilter(**filters),
        channel_ids=channel_ids,
    )
    with alert_service() as service:
        response = service.CreateAlertRule(pb.CreateAlertRuleRequest(alert_rule=rule), timeout=TIMEOUT_S)
    click.echo(response.alert_rule.alert_rule_id)


@rules.command(name="list")
@json_option
def list_rules(*, as_json: bool) -> None:
    """List the project's rules, oldest first."""
    with alert_service() as service:
        response = service.ListAlertRules(pb.ListAlertRulesRequest(), timeout=TIMEOUT_S)
    nothing = "no rules: create one with `llm-observe alerts rules create`"
    print_items(response.alert_rules, _COLUMNS, _row, as_json=as_json, nothing=nothing)


def _row(rule: pb.AlertRule) -> tuple[str, ...]:
    state = "disabled" if rule.disabled else rule.evaluation_error or "enabled"
    return (
        rule.alert_rule_id,
        rule.display_name,
        _condition(rule),
        f"{rule.window.seconds // 60} min",
        Dimension.Name(rule.group_by).removeprefix("DIMENSION_").lower() if rule.group_by else "",
        state,
        format_time(rule.evaluate_time),
    )


def _condition(rule: pb.AlertRule) -> str:
    side = "<" if rule.comparison == pb.COMPARISON_BELOW else ">"
    previous = " x previous" if rule.relative_to_previous else ""
    return f"{metric_word(rule.metric)} {side} {_amount(rule, rule.threshold)}{previous}"


def _amount(rule: pb.AlertRule, value: float) -> str:
    if rule.metric == pb.ALERT_METRIC_COST and not rule.relative_to_previous:
        return f"${value / NANO:g}"
    return f"{value:g}"


@rules.command(name="test")
@click.argument("rule_id")
@json_option
def evaluate_rule(*, rule_id: str, as_json: bool) -> None:
    """Show what a rule sees now. Nothing is sent."""
    with alert_service() as service:
        got = service.GetAlertRule(pb.GetAlertRuleRequest(alert_rule_id=rule_id), timeout=TIMEOUT_S)
        request = pb.EvaluateAlertRuleRequest(alert_rule=got.alert_rule)
        response = service.EvaluateAlertRule(request, timeout=TIMEOUT_S)
    print_items(
        response.evaluations,
        ("group", "value", "requests", "would fire"),
        lambda result: _result(got.alert_rule, result),
        as_json=as_json,
        nothing="no group has any call in the window",
    )


def _result(rule: pb.AlertRule, result: pb.RuleEvaluation) -> tuple[str | int, ...]:
    value = _amount(rule, result.value) if result.HasField("value") else "no data"
    return (result.group, value, result.request_count, "yes" if result.breached else "no")


@rules.command(name="enable")
@click.argument("rule_id")
def enable_rule(rule_id: str) -> None:
    """Evaluate a rule again."""
    _set_disabled(rule_id, disabled=False)


@rules.command(name="disable")
@click.argument("rule_id")
def disable_rule(rule_id: str) -> None:
    """Stop evaluating a rule; resolve its alerts."""
    _set_disabled(rule_id, disabled=True)


def _set_disabled(rule_id: str, *, disabled: bool) -> None:
    request = pb.UpdateAlertRuleRequest(
        alert_rule=pb.AlertRule(alert_rule_id=rule_id, disabled=disabled),
        update_mask=FieldMask(paths=["disabled"]),
    )
    with alert_service() as service:
        service.UpdateAlertRule(request, timeout=TIMEOUT_S)
    click.echo("disabled" if disabled else "enabled")


@rules.command(name="delete")
@click.argument("rule_id")
def delete_rule(rule_id: str) -> None:
    """Delete a rule, and resolve its alerts."""
    with alert_service() as service:
        service.DeleteAlertRule(pb.DeleteAlertRuleRequest(alert_rule_id=rule_id), timeout=TIMEOUT_S)
    click.echo("deleted")
