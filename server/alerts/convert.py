"""Converts rows of rules, budgets, channels and alerts to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from llm_observe.v1 import alert_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2 import Dimension
from llm_observe.v1.filter_pb2 import MetricFilter

from codec.words import words_of
from server.rpc.times import to_time_range, to_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from google.protobuf.message import Message

    from analytics.alerts.budgets import BudgetStatus
    from analytics.alerts.rules import Evaluation
    from codec.words import Enum
    from storage.alert_channels import Channel
    from storage.alert_rules import AlertRule, RuleSpec
    from storage.alerts import AlertRow, Delivery
    from storage.budgets import Budget, BudgetSpec


def _number(enum: Enum, word: str) -> int:
    return words_of(enum).index(word)


def _set_times(message: Message, row: object, *fields: str) -> None:
    """Set the timestamps that a row has."""
    for field in fields:
        time: datetime | None = getattr(row, field)
        if time is not None:
            getattr(message, field).CopyFrom(to_timestamp(time))


def to_rule(row: AlertRule) -> pb.AlertRule:
    """Convert a rule."""
    rule = rule_of_spec(row.spec)
    rule.alert_rule_id = str(row.source_id)
    rule.evaluation_error = row.evaluation_error
    _set_times(rule, row, "create_time", "update_time", "evaluate_time")
    return rule


def rule_of_spec(spec: RuleSpec) -> pb.AlertRule:
    """Convert what a person sets of a rule."""
    return pb.AlertRule(
        display_name=spec.display_name,
        metric=_number(pb.AlertMetric, spec.metric),  # type: ignore[arg-type] # the enum's number
        comparison=_number(pb.Comparison, spec.comparison),  # type: ignore[arg-type] # as above
        threshold=spec.threshold,
        relative_to_previous=spec.relative_to_previous,
        window=_duration(spec.window_length),
        filter=_filter(spec),
        group_by=_number(Dimension, spec.group_by),  # type: ignore[arg-type] # as above
        min_request_count=spec.min_request_count,
        for_duration=_duration(spec.for_duration),
        keep_duration=_duration(spec.keep_duration),
        repeat_interval=_duration(spec.repeat_interval),
        severity=_number(pb.AlertSeverity, spec.severity),  # type: ignore[arg-type] # as above
        channel_ids=map(str, spec.channel_ids),
        disabled=spec.disabled,
    )


def _duration(length: timedelta) -> Duration:
    return Duration(seconds=int(length.total_seconds()))


def _filter(spec: RuleSpec | BudgetSpec) -> MetricFilter:
    return MetricFilter(
        providers=spec.providers or (),
        models=spec.models or (),
        operations=spec.operations or (),
        environments=spec.environments or (),
    )


def to_budget(row: Budget) -> pb.Budget:
    """Convert a budget."""
    budget = budget_of_spec(row.spec)
    budget.budget_id = str(row.source_id)
    budget.evaluation_error = row.evaluation_error
    _set_times(budget, row, "create_time", "update_time", "evaluate_time")
    return budget


def budget_of_spec(spec: BudgetSpec) -> pb.Budget:
    """Convert what a person sets of a budget."""
    return pb.Budget(
        display_name=spec.display_name,
        period=_number(pb.BudgetPeriod, spec.period),  # type: ignore[arg-type] # the enum's number
        time_zone=spec.time_zone,
        amount_nano_usd=spec.amount_nano_usd,
        threshold_percents=spec.threshold_percents,
        forecast_disabled=spec.forecast_disabled,
        filter=_filter(spec),
        channel_ids=map(str, spec.channel_ids),
        disabled=spec.disabled,
    )


_MAX_INT64 = 2**63 - 1


def to_budget_status(status: BudgetStatus) -> pb.BudgetStatus:
    """Convert how much of a budget is spent."""
    message = pb.BudgetStatus(
        time_range=to_time_range(status.period),
        spent_nano_usd=min(status.spent_nano_usd, _MAX_INT64),
        request_count=status.request_count,
        unpriced_count=status.unpriced_count,
    )
    if status.forecast_nano_usd is not None:
        message.forecast_nano_usd = min(status.forecast_nano_usd, _MAX_INT64)
    return message


def to_channel(row: Channel) -> pb.Channel:
    """Convert a channel."""
    channel = pb.Channel(
        channel_id=str(row.channel_id),
        display_name=row.display_name,
        type=_number(pb.ChannelType, row.type),  # type: ignore[arg-type] # the enum's number
        host=row.host,
        email_addresses=row.email_addresses,
        waiting_message_count=row.waiting_count,
        undelivered_message_count=row.undelivered_count,
        last_error=row.last_error,
    )
    _set_times(channel, row, "create_time", "update_time")
    return channel


def to_evaluation(evaluation: Evaluation) -> pb.EvaluateAlertRuleResponse:
    """Convert what a rule sees."""
    return pb.EvaluateAlertRuleResponse(
        evaluations=[
            pb.RuleEvaluation(
                group=each.group, value=each.value, request_count=each.request_count, breached=each.breached
            )
            for each in evaluation.observations
        ],
        time_range=to_time_range(evaluation.window),
    )


def to_alert(row: AlertRow, deliveries: Iterable[Delivery]) -> pb.Alert:
    """Convert an alert, with its own deliveries among those of others."""
    alert = pb.Alert(
        alert_id=str(row.alert_id),
        fingerprint=row.fingerprint,
        alert_rule_id=str(row.source_id) if row.source == "rule" else "",
        budget_id=str(row.source_id) if row.source == "budget" else "",
        state=_number(pb.AlertState, row.state),  # type: ignore[arg-type] # the enum's number
        labels=dict(row.labels),
        summary=row.summary,
        value=row.value,
        deliveries=[_to_delivery(each) for each in deliveries if each.alert_id == row.alert_id],
    )
    _set_times(alert, row, "start_time", "fire_time", "resolve_time")
    return alert


def _to_delivery(row: Delivery) -> pb.NoticeDelivery:
    return pb.NoticeDelivery(
        channel_id=str(row.channel_id),
        status=_number(pb.AlertState, row.status),  # type: ignore[arg-type] # the enum's number
        state=_number(pb.DeliveryState, row.state),  # type: ignore[arg-type] # as above
        attempt_count=row.attempt_count,
        last_error=row.last_error,
    )
