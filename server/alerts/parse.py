"""Checks rules, budgets and channels of requests."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from llm_observe.v1 import alert_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2 import Dimension

from analytics.alerts.values import SYSTEM_METRICS, format_length
from codec.words import words_of
from server.rpc.checks import check_text, parse_uuid, parse_word
from server.rpc.errors import InvalidField
from server.rpc.filters import metric_filters
from storage.alert_rules import RuleSpec
from storage.budgets import BudgetSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.field_mask_pb2 import FieldMask
    from google.protobuf.message import Message

MAX_NAME_CHARS: Final = 100
_MAX_CHANNELS: Final = 10
_MAX_ADDRESSES: Final = 20
_MAX_THRESHOLDS: Final = 10
_MAX_PERCENT: Final = 1000
_DEFAULT_THRESHOLDS: Final = (50, 80, 100)
_ROLLUP_DIMENSIONS: Final = ("provider", "model", "operation", "environment")
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_OF_THE_SYSTEM: Final = re.compile(r"localtime$|posixrules$|Factory$|posix/|right/")
"""Files beside time zones: this machine's own, which others do not share, and clocks with leap seconds."""
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")

RULE_FIELDS: Final = (
    "display_name",
    "metric",
    "comparison",
    "threshold",
    "relative_to_previous",
    "window",
    "filter",
    "group_by",
    "min_request_count",
    "for_duration",
    "keep_duration",
    "repeat_interval",
    "severity",
    "channel_ids",
    "disabled",
)
"""What a person sets of a rule."""
BUDGET_FIELDS: Final = (
    "display_name",
    "period",
    "time_zone",
    "amount_nano_usd",
    "threshold_percents",
    "forecast_disabled",
    "filter",
    "channel_ids",
    "disabled",
)
CHANNEL_FIELDS: Final = ("display_name", "url", "email_addresses")


def check_mask(mask: FieldMask, fields: Collection[str]) -> Sequence[str]:
    """Return the fields that an update changes: all where the mask is empty.

    Raises:
        InvalidField: It names others.
    """
    paths = list(mask.paths)
    if not set(paths) <= set(fields):
        raise InvalidField([("update_mask", f"may only contain {', '.join(fields)}")])
    return paths or list(fields)


def merge(present: Message, changed: Message, fields: Iterable[str]) -> None:
    """Replace fields of a message by those of another, or clear them where it has none."""
    by_name = changed.DESCRIPTOR.fields_by_name
    given = {field.name for field, _ in changed.ListFields()}
    only_given = type(changed)()
    only_given.CopyFrom(changed)
    for name in by_name:
        if name in fields:
            present.ClearField(name)
        if name not in fields or name not in given:
            only_given.ClearField(name)
    present.MergeFrom(only_given)


def parse_rule(rule: pb.AlertRule) -> RuleSpec:
    """Return what a rule says, defaults filled in.

    Raises:
        InvalidField: A field breaks its rule.
    """
    check_name("alert_rule", rule.display_name)
    metric = parse_word("alert_rule.metric", rule.metric, pb.AlertMetric)
    if metric in SYSTEM_METRICS:
        _check_system_rule(rule)
    if not math.isfinite(rule.threshold):
        raise InvalidField([("alert_rule.threshold", "must be a finite number")])
    if rule.min_request_count < 0:
        raise InvalidField([("alert_rule.min_request_count", "must not be negative")])
    return RuleSpec(
        display_name=rule.display_name,
        metric=metric,
        comparison=parse_word("alert_rule.comparison", rule.comparison or pb.COMPARISON_ABOVE, pb.Comparison),
        threshold=rule.threshold,
        relative_to_previous=rule.relative_to_previous,
        window_length=_parse_window(rule),
        group_by=_parse_group_by(rule.group_by),
        min_request_count=rule.min_request_count,
        for_duration=_duration("for_duration", rule, timedelta(), timedelta(), _DAY),
        keep_duration=_duration("keep_duration", rule, 5 * _MINUTE, _MINUTE, _DAY),
        repeat_interval=_duration("repeat_interval", rule, timedelta(hours=4), 5 * _MINUTE, 31 * _DAY),
        severity=parse_word(
            "alert_rule.severity", rule.severity or pb.ALERT_SEVERITY_WARNING, pb.AlertSeverity
        ),
        **metric_filters(rule.filter, "alert_rule.filter"),
        channel_ids=_parse_channel_ids("alert_rule", rule.channel_ids),
        disabled=rule.disabled,
    )


def _check_system_rule(rule: pb.AlertRule) -> None:
    if rule.relative_to_previous or rule.group_by or rule.min_request_count or rule.filter.ByteSize():
        text = "takes no filter, group_by, min_request_count or relative_to_previous"
        raise InvalidField([("alert_rule.metric", text)])


def _parse_window(rule: pb.AlertRule) -> timedelta:
    length = _duration("window", rule, 5 * _MINUTE, 5 * _MINUTE, 31 * _DAY)
    if length % _MINUTE:
        raise InvalidField([("alert_rule.window", "must be whole minutes")])
    return length


def _duration(
    field: str, rule: pb.AlertRule, default: timedelta, shortest: timedelta, longest: timedelta
) -> timedelta:
    """Return a duration of a rule; absent or 0 is the default."""
    message: Duration = getattr(rule, field)
    if not message.seconds and not message.nanos:
        return default
    seconds = int(longest.total_seconds())
    length = timedelta(seconds=message.seconds) if abs(message.seconds) <= seconds else None
    if length is None or message.nanos or not shortest <= length <= longest:
        text = f"must be whole seconds, from {format_length(shortest)} to {format_length(longest)}"
        raise InvalidField([(f"alert_rule.{field}", text)])
    return length


def _parse_group_by(dimension: Dimension.ValueType) -> str:
    words = words_of(Dimension)
    word = words[dimension] if 0 <= dimension < len(words) else "unknown"
    if word and word not in _ROLLUP_DIMENSIONS:
        raise InvalidField([("alert_rule.group_by", f"must be one of {', '.join(_ROLLUP_DIMENSIONS)}")])
    return word


def _parse_channel_ids(path: str, channel_ids: Sequence[str]) -> list[UUID]:
    if len(channel_ids) > _MAX_CHANNELS:
        raise InvalidField([(f"{path}.channel_ids", f"must have at most {_MAX_CHANNELS} ids")])
    return list(dict.fromkeys(parse_uuid(f"{path}.channel_ids", text) for text in channel_ids))


def check_name(path: str, name: str) -> None:
    """Check a display name.

    Raises:
        InvalidField: It is empty, too long, or not one line of text.
    """
    check_text(f"{path}.display_name", name, min_chars=1, max_chars=MAX_NAME_CHARS)
    if not name.isprintable():
        raise InvalidField([(f"{path}.display_name", "must be one line of text")])


def parse_budget(budget: pb.Budget) -> BudgetSpec:
    """Return what a budget says, defaults filled in.

    Raises:
        InvalidField: A field breaks its rule.
    """
    check_name("budget", budget.display_name)
    period = parse_word("budget.period", budget.period, pb.BudgetPeriod)
    if budget.amount_nano_usd < 1:
        raise InvalidField([("budget.amount_nano_usd", "must be at least 1")])
    percents = sorted(set(budget.threshold_percents)) or list(_DEFAULT_THRESHOLDS)
    if len(percents) > _MAX_THRESHOLDS or not all(1 <= each <= _MAX_PERCENT for each in percents):
        text = f"must be at most {_MAX_THRESHOLDS} numbers from 1 to {_MAX_PERCENT}"
        raise InvalidField([("budget.threshold_percents", text)])
    return BudgetSpec(
        display_name=budget.display_name,
        period=period,
        time_zone=_parse_time_zone(budget.time_zone),
        amount_nano_usd=budget.amount_nano_usd,
        threshold_percents=percents,
        forecast_disabled=budget.forecast_disabled,
        **metric_filters(budget.filter, "budget.filter"),
        channel_ids=_parse_channel_ids("budget", budget.channel_ids),
        disabled=budget.disabled,
    )


def _parse_time_zone(name: str) -> str:
    check_text("budget.time_zone", name, max_chars=100)
    name = name or "UTC"
    try:
        known = ZoneInfo(name) is not None and not _OF_THE_SYSTEM.match(name)
    except (ValueError, OSError, KeyError):  # KeyError: no such zone; OSError: a folder of zones
        known = False
    if not known:
        raise InvalidField([("budget.time_zone", "must be the IANA name of a time zone")])
    return name


def check_addresses(addresses: Sequence[str]) -> None:
    """Check the addresses of an email channel.

    Raises:
        InvalidField: There are none, too many, or one is not an email address.
    """
    if not 1 <= len(addresses) <= _MAX_ADDRESSES:
        raise InvalidField([("channel.email_addresses", f"must be 1 to {_MAX_ADDRESSES} addresses")])
    if not all(_EMAIL.fullmatch(address) for address in addresses):
        raise InvalidField([("channel.email_addresses", "must each be an email address")])
