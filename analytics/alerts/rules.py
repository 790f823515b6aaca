"""What a rule sees: a value for each group, read from rollups or from the system."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.aggregates import compared_windows, read_rollups
from analytics.alerts.values import (
    DEAD_LETTERS,
    METRICS,
    QUEUE_AGE,
    SKETCH_OF,
    SYSTEM_METRICS,
    TITLES,
    format_length,
    format_value,
)
from analytics.metrics import Metrics
from analytics.windows import MINUTE, Window, counted_window, cover, floor
from storage.dead_letters import count_waiting_dead_letters
from storage.rollups import rank_groups, sum_rollups

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from analytics.aggregates import Snapshot
    from storage.alert_rules import RuleSpec
    from storage.pool import Database
    from storage.rollups import Cell, RollupFilter, TierRange

LATE: Final = timedelta(minutes=2)
"""How long after a minute most of its late logs have arrived: windows end then."""
MAX_GROUPS: Final = 50
"""Groups of a rule that can have alerts, most requests first."""
_CURRENT, _BEFORE = range(2)


class Observation(NamedTuple):
    """What a rule sees of a group."""

    group: str
    """'' where the rule does not group."""
    value: float | None
    """None is no data."""
    request_count: int
    breached: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a rule sees."""

    window: Window
    observations: Sequence[Observation]


class RuleReader:
    """Evaluates rules.

    Args:
        database: Is asked.
        read_queue_age: Returns the age of the oldest message of the queue in seconds, 0 when it is empty.
    """

    def __init__(self, database: Database, read_queue_age: Callable[[], Awaitable[float]]) -> None:
        self._database = database
        self._read_queue_age = read_queue_age

    async def evaluate(self, project_id: str, spec: RuleSpec, now: datetime) -> Evaluation:
        """Return what a rule sees.

        Raises:
            StorageError: The database does not answer.
            Exception: What read_queue_age raises.
        """
        if spec.metric in SYSTEM_METRICS:
            value = await self._read_system(spec.metric, project_id)
            return Evaluation(Window(now, now), [_observe(spec, "", value, 0)])
        end = floor(now - LATE, MINUTE)
        window = Window(end - spec.window_length, end)
        wanted = Window(window.start - spec.window_length, end) if spec.relative_to_previous else window
        async with read_rollups(self._database, wanted, project_id) as snapshot:
            window = counted_window(window, snapshot.minutes_from)
            before = Window(window.start, window.start)
            if spec.relative_to_previous:
                window, before = compared_windows(window, snapshot.minutes_from, end)
            parts = {_CURRENT: window, _BEFORE: before}
            ranges = [
                each._replace(part=part) for part, each_window in parts.items() for each in cover(each_window)
            ]
            cells = await _read_cells(snapshot, spec, ranges, spec.rollup_filter(project_id))
        observations = await asyncio.to_thread(_observe_cells, spec, cells)
        return Evaluation(window, observations)

    async def _read_system(self, metric: str, project_id: str) -> float:
        if metric == QUEUE_AGE:
            return await self._read_queue_age()
        assert metric == DEAD_LETTERS  # noqa: S101 - there are two
        return float(await count_waiting_dead_letters(self._database, project_id))


async def _read_cells(
    snapshot: Snapshot, spec: RuleSpec, ranges: Sequence[TierRange], found: RollupFilter
) -> list[Cell]:
    groups = [""]
    if spec.group_by:
        ranked = await rank_groups(snapshot.connection, ranges, found, spec.group_by, MAX_GROUPS)
        groups = [group.value for group in ranked]
    sketch = SKETCH_OF.get(spec.metric)
    return await sum_rollups(
        snapshot.connection,
        ranges,
        found,
        group_by=spec.group_by,
        groups=groups,
        packed=(sketch,) if sketch else (),
    )


def _observe_cells(spec: RuleSpec, cells: Sequence[Cell]) -> list[Observation]:
    named = [cell for cell in cells if not cell.remainder]
    groups = sorted({cell.group_value for cell in named}) if spec.group_by else [""]
    return [
        _observe_group(spec, group, [cell for cell in named if cell.group_value == group]) for group in groups
    ]


def _observe_group(spec: RuleSpec, group: str, cells: Sequence[Cell]) -> Observation:
    current = Metrics(cell for cell in cells if cell.part == _CURRENT)
    value = _value(spec, current)
    if spec.relative_to_previous:
        before = _value(spec, Metrics(cell for cell in cells if cell.part == _BEFORE))
        value = value / before if value is not None and before else None
    return _observe(spec, group, value, current.sums["request_count"])


def _value(spec: RuleSpec, metrics: Metrics) -> float | None:
    """Return the metric's value; None where there are too few calls to tell."""
    if metrics.sums["request_count"] < spec.min_request_count:
        return None
    return METRICS[spec.metric](metrics)


def _observe(spec: RuleSpec, group: str, value: float | None, request_count: int) -> Observation:
    breached = value is not None and (
        value > spec.threshold if spec.comparison == "above" else value < spec.threshold
    )
    return Observation(group, value, request_count, breached)


def fingerprint_of(*parts: object) -> str:
    """Return the fingerprint of an alert, from what it is unique by."""
    return hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()[:16]


def labels_of(project_id: str, spec: RuleSpec, group: str) -> dict[str, str]:
    """Return the labels of a rule's alert. They hold names and numbers, never a text of a call."""
    labels = {
        "alertname": spec.display_name,
        "project": project_id,
        "severity": spec.severity,
        "metric": spec.metric,
    }
    return {**labels, spec.group_by: group} if spec.group_by else labels


def summary_of(spec: RuleSpec, observation: Observation) -> str:
    """Return one sentence: what a rule sees."""
    relative = spec.relative_to_previous
    value = (
        "unknown"
        if observation.value is None
        else format_value(spec.metric, observation.value, relative=relative)
    )
    threshold = format_value(spec.metric, spec.threshold, relative=relative)
    subject = f"{TITLES[spec.metric]} of {observation.group}" if spec.group_by else TITLES[spec.metric]
    during = "" if spec.metric in SYSTEM_METRICS else f" over {format_length(spec.window_length)}"
    return f"{subject} is {value}{during}; it is an alert {spec.comparison} {threshold}"
