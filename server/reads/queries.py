"""Turns requests for metrics into rollup queries, checked."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from server.rpc.errors import InvalidField
from server.rpc.times import Window
from storage.rollups import RollupQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.duration_pb2 import Duration
    from llm_observe.v1.filter_pb2 import MetricFilter

_HOUR: Final = timedelta(hours=1)
_MAX_STEPS: Final = 1000
_DEFAULT_STEPS: Final = 60
_MAX_FILTER_VALUES: Final = 50


def whole_hours(window: Window) -> Window:
    """Widen a window to whole UTC hours."""
    start = window.start.replace(minute=0, second=0, microsecond=0)
    end = window.end.replace(minute=0, second=0, microsecond=0)
    return Window(start, end if end == window.end else end + _HOUR)


def rollup_query(
    project_id: str, window: Window, metric_filter: MetricFilter, *, step: timedelta, group_by: str = ""
) -> RollupQuery:
    """Return the rollup query of a window in whole hours.

    Raises:
        InvalidField: A filter has too many values.
    """
    filters = metric_filters(metric_filter)
    return RollupQuery(
        project_id=project_id,
        start_hour=window.start,
        end_hour=window.end,
        step=step,
        group_by=group_by,
        **filters,
    )


def metric_filters(metric_filter: MetricFilter) -> dict[str, Sequence[str] | None]:
    """Return the filter's lists by field; None where all values match.

    Raises:
        InvalidField: A list has too many values.
    """
    filters: dict[str, Sequence[str] | None] = {}
    for field in ("providers", "models", "operations", "environments"):
        values = list(getattr(metric_filter, field))
        if len(values) > _MAX_FILTER_VALUES:
            raise InvalidField([(f"filter.{field}", f"at most {_MAX_FILTER_VALUES} values")])
        if any("\x00" in value for value in values):
            raise InvalidField([(f"filter.{field}", "must not contain NUL")])
        filters[field] = values or None
    return filters


def parse_step(step: Duration | None, window: Window) -> timedelta:
    """Return the requested step, or one that gives a readable chart.

    Raises:
        InvalidField: It is not whole hours, or there would be too many steps.
    """
    hours = (window.end - window.start) // _HOUR
    if step is None:
        return _HOUR * max(1, math.ceil(hours / _DEFAULT_STEPS))
    if step.nanos or step.seconds < 1 or step.seconds % 3600 or step.seconds > 366 * 86_400:
        raise InvalidField([("step", "must be whole hours, at least 1 and at most 366 days")])
    requested = timedelta(seconds=step.seconds)
    if hours * _HOUR / requested > _MAX_STEPS:
        raise InvalidField([("step", f"gives more than {_MAX_STEPS} steps for this window")])
    return requested
