"""The queue: how much waits and for how long, now and over the last hour."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import altair as alt
import streamlit as st

from streamlit_app import format as fmt
from streamlit_app.components.cards import Card, show_cards
from streamlit_app.components.charts import (
    Look,
    Row,
    Step,
    chart_of,
    count_axis,
    hover_layer,
    layered,
    seconds_axis,
    show_chart,
    time_axis,
    time_row,
    when_tooltips,
)
from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.admin_service_pb2 import GetQueueStatsResponse
    from llm_observe.v1.health_service_pb2 import QueueHealth

    from streamlit_app.data.queue_history import Sample

_HEIGHT: Final = 96
_AGE_HEIGHT: Final = 84
_LONGEST_STEP: Final = timedelta(seconds=60)
"""A sample speaks for this long at most: afterwards nobody looked."""
_KIB: Final = 1024


def show_queue_cards(queue: QueueHealth, stats: GetQueueStatsResponse | None) -> None:
    """Show the queue as it is now."""
    age = fmt.duration(fmt.seconds(queue.oldest_age)) if queue.HasField("oldest_age") else fmt.NOTHING
    cards = [
        Card("In the queue", fmt.compact(queue.depth), help="Batches that wait or are being stored"),
        Card("Oldest", age, help="Age of the oldest batch"),
        Card("Being stored", fmt.compact(queue.pending_count), help="Batches that a worker has received"),
        Card("Tried again", fmt.compact(queue.delayed_count), help="Batches that wait for another attempt"),
        Card("Workers", fmt.exact(queue.consumer_count), help="Workers that are alive"),
    ]
    if stats:
        cards.append(Card("Memory", size(stats.memory_bytes), help="Memory that the queue takes in Redis"))
    show_cards(cards)


def show_queue_history(samples: Sequence[Sample], look: Look) -> None:
    """Show depth, and below it the age of the oldest batch."""
    deepest = max((sample.depth for sample in samples), default=0)
    oldest_s = max((sample.oldest_age_s for sample in samples), default=0.0)
    if len(samples) < 2:  # noqa: PLR2004 - a line needs two points
        st.caption(
            ":material/hourglass_top: The course of the last hour is drawn from what this app has seen: "
            "leave a page open."
        )
        return
    rows = history_rows(samples, look)
    # A scale from 0 to 0, of an empty queue, has no labels.
    depths = count_axis("depth:Q", ticks=3).scale(domain=[0, max(1, deepest)])
    ages = seconds_axis("age:Q", ticks=2).scale(domain=[0, max(1.0, oldest_s)])
    show_chart(
        _chart(rows, depths, look, look.colours.p50, _HEIGHT, labels=False),
        height=_HEIGHT,
        key="queue_depth",
        alt_text=f"Batches in the queue over the last hour: at most {fmt.exact(deepest)}.",
    )
    st.caption("Age of the oldest batch")
    show_chart(
        _chart(rows, ages, look, look.colours.ttft, _AGE_HEIGHT, labels=True),
        height=_AGE_HEIGHT,
        key="queue_age",
        alt_text=f"Age of the oldest batch over the last hour: at most {fmt.duration(oldest_s)}.",
    )
    st.caption(literal(f"Seen by this app: highest {fmt.exact(deepest)} batches, {fmt.duration(oldest_s)}"))


def queue_rows(samples: Sequence[Sample]) -> list[dict[str, object]]:
    """Return what the charts are drawn from, newest first."""
    return [
        {"From": sample.time, "Batches": sample.depth, "Oldest, s": sample.oldest_age_s}
        for sample in reversed(samples)
    ]


def history_rows(samples: Sequence[Sample], look: Look) -> list[Row]:
    """Return the rows of the charts. ``run`` counts up at each gap, so that no line crosses one."""
    rows, run = [], 0
    ends = [*(sample.time for sample in samples[1:]), look.bounds.end]
    for sample, next_time in zip(samples, ends, strict=True):
        end = min(next_time, sample.time + _LONGEST_STEP)
        values: dict[str, str | float | bool | None] = {
            "depth": sample.depth,
            "age": sample.oldest_age_s,
            "run": run,
            "words": f"{fmt.exact(sample.depth)} batches",
            "age_words": fmt.duration(sample.oldest_age_s),
        }
        rows.append(time_row(Step(sample.time, end, None, is_finished=True), look.zone, **values))
        if next_time > end:
            rows.append({**rows[-1], "at": end})
            run += 1
    return rows


def _chart(
    rows: Sequence[Row], y: alt.Y, look: Look, colour: str, height: int, *, labels: bool
) -> alt.LayerChart:
    area = (
        chart_of(rows)
        .mark_area(
            interpolate="step-after",
            color=colour,
            opacity=0.18,
            line={"color": colour, "strokeWidth": 1.6},
        )
        .encode(x=time_axis(look.bounds, labels=labels, bars=False), y=y, detail="run:N")
    )
    tooltips = when_tooltips(
        alt.Tooltip("words:N", title="in the queue"), alt.Tooltip("age_words:N", title="oldest")
    )
    return layered(area, hover_layer(rows, look.bounds, height, tooltips))


def size(number: int) -> str:
    """Return a number of bytes as ``840 B``, ``1.2 MiB``."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < _KIB:
            break
        value, unit = value / _KIB, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
