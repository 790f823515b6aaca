"""Checks requests for metrics."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from analytics.windows import HOUR, Window, default_step
from server.rpc.errors import InvalidField
from server.rpc.filters import metric_filters
from storage.rollups import RollupFilter

if TYPE_CHECKING:
    from datetime import datetime

    from google.protobuf.duration_pb2 import Duration
    from llm_observe.v1.filter_pb2 import MetricFilter

_MAX_STEPS: Final = 1000
_MAX_STEP: Final = timedelta(days=366)


def rollup_filter(project_id: str, metric_filter: MetricFilter) -> RollupFilter:
    """Return which rollups a filter selects.

    Raises:
        InvalidField: A list has too many values.
    """
    return RollupFilter(project_id=project_id, **metric_filters(metric_filter))


def parse_step(step: Duration | None) -> timedelta | None:
    """Return the requested step.

    Raises:
        InvalidField: It is not whole minutes.
    """
    if step is None:
        return None
    if step.nanos or step.seconds < 1 or step.seconds % 60 or step.seconds > _MAX_STEP.total_seconds():
        raise InvalidField([("step", "must be whole minutes, at least 1 minute and at most 366 days")])
    return timedelta(seconds=step.seconds)


def fit_step(step: timedelta | None, window: Window, minutes_from: datetime) -> timedelta:
    """Return the step for a window: the requested one, or one that gives a readable chart.

    Raises:
        InvalidField: There would be too many steps, or it needs minutes that are no longer kept.
    """
    if step is None:
        return default_step(window, minutes_from)
    if (window.end - window.start) / step > _MAX_STEPS:
        raise InvalidField([("step", f"must give at most {_MAX_STEPS} steps for this window")])
    if step % HOUR and window.start < minutes_from:
        oldest = minutes_from.isoformat(timespec="minutes")
        raise InvalidField(
            [
                (
                    "step",
                    f"must be whole hours for a window that begins before {oldest}",
                )
            ]
        )
    return step


def is_unfinished(start: datetime, step: timedelta, now: datetime) -> bool:
    """Tell whether a step has not ended yet."""
    return start + step > now
