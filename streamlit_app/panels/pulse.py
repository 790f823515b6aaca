"""The strip above the logs: how many calls, how slow or how dear. A drag over it narrows the window."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import altair as alt

from streamlit_app import format as fmt
from streamlit_app import metrics as of
from streamlit_app.colours import outcome_colour
from streamlit_app.components.charts import (
    PICK,
    RANGE,
    Look,
    Row,
    Step,
    chart_of,
    drag_over_time,
    hover_layer,
    layered,
    selected_range,
    selected_values,
    show_chart,
    time_axis,
    time_row,
    when_tooltips,
)
from streamlit_app.state.filters import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from llm_observe.v1.analytics_service_pb2 import Metrics

    from streamlit_app.colours import Palette

PULSE_HEIGHT: Final = 108
"""In pixels."""
MODES: Final = {"calls": "Calls", "p95": "p95", "cost": "Cost"}


def count_of(metrics: Metrics, outcome: str) -> int:
    """Return how many calls ended in a way."""
    return int(getattr(metrics, f"{outcome}_count"))


def show_pulse(
    steps: Sequence[Step], mode: str, outcomes: Sequence[str], look: Look
) -> tuple[datetime, datetime] | None:
    """Show the strip; return the range of time that was dragged over, or the step that was clicked on.

    ``outcomes`` are those to count; empty means all.
    """
    shown = outcomes or list(OUTCOMES)
    overall = [_overall_row(step, shown, look.zone) for step in steps]
    if mode == "calls":
        layers = [_outcome_bars(steps, shown, look)]
    else:
        layers = [_value_bars([row for row in overall if row[mode]], mode, look)]
    tooltips = when_tooltips(
        alt.Tooltip("calls_words:N", title="calls"),
        alt.Tooltip("p95_words:N", title="p95"),
        alt.Tooltip("cost_words:N", title="cost"),
    )
    hover = hover_layer(overall, look.bounds, PULSE_HEIGHT, tooltips).add_params(
        alt.selection_point(name=PICK, fields=["start"]), drag_over_time()
    )
    selection = show_chart(
        layered(*layers, hover),
        height=PULSE_HEIGHT,
        key=f"pulse {mode} {look.key}",
        alt_text=_describe(steps, shown),
        selections=[PICK, RANGE],
    )
    return selected_range(selection) or _picked_step(selection, steps)


def _picked_step(selection: Mapping[str, object], steps: Sequence[Step]) -> tuple[datetime, datetime] | None:
    picked = selected_values(selection, "start")
    start = datetime.fromtimestamp(float(picked[0]), UTC) if picked else None
    return next(((step.start, step.end) for step in steps if step.start == start), None)


def _overall_row(step: Step, outcomes: Sequence[str], zone: tzinfo) -> Row:
    metrics = step.metrics
    p95 = of.p95_latency(metrics) if metrics else None
    cost = of.known_cost(metrics) if metrics else None
    counts = [(outcome, count_of(metrics, outcome) if metrics else 0) for outcome in outcomes]
    words = ", ".join(f"{fmt.exact(count)} {outcome}" for outcome, count in counts if count)
    return time_row(
        step,
        zone,
        start=int(step.start.timestamp()),
        p95=p95,
        cost=cost,
        calls_words=words or "0",
        p95_words=fmt.duration(p95),
        cost_words=fmt.money(cost),
    )


def _outcome_bars(steps: Sequence[Step], outcomes: Sequence[str], look: Look) -> alt.Chart:
    """Return bars on a square-root scale, so that one failed call among hundreds is in sight.

    A bar is as high as the root of all its calls; its parts share it by the roots of theirs.
    """
    rows = [
        time_row(step, look.zone, outcome=outcome, rank=rank, height=height)
        for step in steps
        for rank, (outcome, height) in enumerate(_heights(step, outcomes))
    ]
    return _bars(rows, "height", look).encode(
        color=alt.Color("outcome:N", legend=None, scale=_outcome_scale(outcomes, look.colours)),
        order=alt.Order("rank:Q"),
    )


def _heights(step: Step, outcomes: Sequence[str]) -> list[tuple[str, float]]:
    if step.metrics is None:
        return []
    counts = [(outcome, count_of(step.metrics, outcome)) for outcome in outcomes]
    roots = sum(math.sqrt(count) for _, count in counts)
    whole = math.sqrt(sum(count for _, count in counts))
    return [(outcome, whole * math.sqrt(count) / roots) for outcome, count in counts if count]


def _outcome_scale(outcomes: Sequence[str], colours: Palette) -> alt.Scale:
    shown = [
        outcome_colour(outcome, colours) if outcome != "success" else colours.p95 for outcome in outcomes
    ]
    return alt.Scale(domain=list(outcomes), range=shown)


def _value_bars(rows: Sequence[Row], field: str, look: Look) -> alt.Chart:
    return _bars(rows, field, look).encode(color=alt.value(look.colours.p95))


def _bars(rows: Sequence[Row], field: str, look: Look) -> alt.Chart:
    chart: alt.Chart = (
        chart_of(rows)
        .mark_bar(binSpacing=1, clip=True)
        .encode(
            x=time_axis(look.bounds),
            x2="to:T",
            y=alt.Y(f"{field}:Q", title=None, stack="zero", axis=None),
            opacity=alt.condition("datum.finished", alt.value(1), alt.value(0.45)),
        )
    )
    return chart


def _describe(steps: Sequence[Step], outcomes: Sequence[str]) -> str:
    sums = {
        outcome: sum(count_of(step.metrics, outcome) for step in steps if step.metrics)
        for outcome in outcomes
    }
    words = ", ".join(f"{fmt.exact(count)} {outcome}" for outcome, count in sums.items())
    return f"Calls over time: {words}."
