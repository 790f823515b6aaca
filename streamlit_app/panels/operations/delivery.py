"""The delivery ledger: what producers sent, as a sum of what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import altair as alt
import pandas as pd
import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.charts import (
    Look,
    Row,
    Step,
    chart_of,
    count_axis,
    hover_layer,
    layered,
    show_chart,
    time_axis,
    time_row,
    when_tooltips,
)
from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import literal
from streamlit_app.data.server import Ledger, add_entry
from streamlit_app.panels.operations.common import ROW_PX, time_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from llm_observe.v1.admin_service_pb2 import LedgerEntry

    from streamlit_app.colours import Palette
    from streamlit_app.data.server import LedgerEntries
    from streamlit_app.state.window import Bounds

_BAR_PX: Final = 22
_HEIGHT: Final = 250
_BAD_COLUMNS: Final = ("Rejected", "Dead", "Dropped", "Batches lost")
_HOUR: Final = timedelta(hours=1)
_STEPS: Final = (_HOUR, timedelta(hours=6), timedelta(days=1))
_MAX_STEPS: Final = 80


@dataclass(frozen=True, slots=True)
class Part:
    """Logs with the same fate. ``always`` says whether it is a term of the sum even if there are none."""

    name: str
    count: int
    colour: str
    tone: str
    """The colour's name in markdown."""
    help: str
    always: bool = False


def parts_of(ledger: Ledger, colours: Palette) -> list[Part]:
    """Return what became of the logs: the parts add up to what was logged."""
    return [
        Part("Stored", ledger.stored, colours.good, "green", "Stored as new rows", always=True),
        Part(
            "Sent twice",
            ledger.duplicate,
            colours.previous,
            "gray",
            "Stored before: sent again, and counted once",
        ),
        Part(
            "Not stored yet",
            ledger.queued,
            colours.p95,
            "blue",
            "In the queue, or in a batch that never arrived",
        ),
        Part(
            "Rejected",
            ledger.rejected,
            colours.others[3],
            "yellow",
            "Refused by the server for their content",
        ),
        Part(
            "Dead",
            ledger.dead,
            colours.warning,
            "orange",
            "In dead letters, also discarded ones",
            always=True,
        ),
        Part(
            "Dropped",
            ledger.dropped,
            colours.error,
            "red",
            "Dropped by producers, and never sent",
            always=True,
        ),
    ]


def show_ledger_sum(ledger: Ledger, colours: Palette) -> None:
    """Show the sum, and a bar whose parts add up."""
    parts = [part for part in parts_of(ledger, colours) if part.count or part.always]
    total = sum(part.count for part in parts)
    at_least = "" if ledger.is_whole else "\u2265 "
    with st.container(horizontal=True, gap="medium", key="ledger_sum"):
        st.metric(
            "Logged",
            f"{at_least}{fmt.exact(total)}",
            width="content",
            help="Logs that applications recorded: sent, or dropped before that",
        )
        for number, part in enumerate(parts):
            sign = "+" if number else "="
            st.metric(
                f":{literal(part.tone)}[■] {literal(part.name)}",
                f"{sign} {fmt.exact(part.count)}",
                width="content",
                help=literal(part.help),
            )
    if total:
        _show_bar(parts, total, colours)
    if ledger.missing_batches:
        lost = fmt.exact(ledger.missing_batches)
        st.caption(
            f":red[:material/error:] Batches that never arrived: {literal(lost)}. See the producers below."
        )


def _show_bar(parts: Sequence[Part], total: int, colours: Palette) -> None:
    rows: list[Row] = [
        {
            "part": part.name,
            "count": part.count,
            "rank": rank,
            "words": f"{fmt.exact(part.count)} ({fmt.percent(part.count / total)})",
        }
        for rank, part in enumerate(parts)
        if part.count
    ]
    shown = [part for part in parts if part.count]
    scale = alt.Scale(domain=[part.name for part in shown], range=[part.colour for part in shown])
    bar = (
        chart_of(rows)
        .mark_bar(height=_BAR_PX, stroke=colours.background, strokeWidth=1)
        .encode(
            x=alt.X(
                "count:Q", stack="zero", title=None, axis=None, scale=alt.Scale(domain=[0, total], nice=False)
            ),
            color=alt.Color("part:N", scale=scale, legend=None),
            order=alt.Order("rank:Q"),
            tooltip=[alt.Tooltip("part:N", title="logs"), alt.Tooltip("words:N", title="count")],
        )
    )
    words = ", ".join(f"{part.name.lower()} {fmt.exact(part.count)}" for part in shown)
    show_chart(
        layered(bar), height=_BAR_PX + 6, key="ledger_bar", alt_text=f"Of {fmt.exact(total)} logs: {words}."
    )


# -- over time ---------------------------------------------------------------------------------------------


def show_throughput(entries: Sequence[LedgerEntry], look: Look) -> None:
    """Show logs over time, by what became of them."""
    length = _choose_step(look.bounds)
    rows = [row for start, ledger in _by_step(entries, length) for row in _rows(start, length, ledger, look)]
    if not rows:
        st.caption("No producer sent anything in this window.")
        return
    parts = parts_of(Ledger(), look.colours)
    used = {row["part"] for row in rows}
    shown = [part for part in parts if part.name in used]
    scale = alt.Scale(domain=[part.name for part in shown], range=[part.colour for part in shown])
    bars = (
        chart_of(rows)
        .mark_bar(binSpacing=1)
        .encode(
            x=time_axis(look.bounds),
            x2="to:T",
            y=count_axis("count:Q", stack=True),
            color=alt.Color(
                "part:N", scale=scale,
                legend=alt.Legend(orient="top", title=None, symbolType="square", offset=2, columns=6),
            ),
            order=alt.Order("rank:Q"),
            opacity=alt.condition("datum.finished", alt.value(1), alt.value(0.45)),
        )
    )  # fmt: skip
    hover = hover_layer(
        _totals(rows), look.bounds, _HEIGHT, when_tooltips(alt.Tooltip("words:N", title="logs"))
    )
    peak = max((float(row["total"] or 0) for row in rows if isinstance(row["total"], int)), default=0)
    show_chart(
        layered(bars, hover),
        height=_HEIGHT,
        key=f"throughput {look.key}",
        alt_text=f"Logs per {fmt.length(length)} by what became of them; at most {fmt.exact(int(peak))}.",
    )


def _choose_step(bounds: Bounds) -> timedelta:
    fitting = (step for step in _STEPS if (bounds.end - bounds.start) / step <= _MAX_STEPS)
    return next(fitting, _STEPS[-1])


def _by_step(entries: Sequence[LedgerEntry], length: timedelta) -> Iterator[tuple[datetime, Ledger]]:
    sums: dict[datetime, Ledger] = {}
    for entry in entries:
        hour = fmt.timestamp(entry.hour)
        start = hour - timedelta(seconds=hour.timestamp() % length.total_seconds())
        sums[start] = add_entry(sums.get(start, Ledger()), entry)
    yield from sorted(sums.items())


def _rows(start: datetime, length: timedelta, ledger: Ledger, look: Look) -> Iterator[Row]:
    step = Step(start, start + length, None, is_finished=start + length <= clock.now())
    parts = parts_of(ledger, look.colours)
    words = ", ".join(f"{fmt.exact(part.count)} {part.name.lower()}" for part in parts if part.count)
    total = sum(part.count for part in parts)
    for rank, part in enumerate(parts):
        if part.count:
            yield time_row(
                step, look.zone, part=part.name, rank=rank, count=part.count, words=words, total=total
            )


def _totals(rows: Sequence[Row]) -> list[Row]:
    """Return one row a step, for the tooltip."""
    return list({str(row["at"]): row for row in rows}.values())


# -- producers ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Producer:
    """A producer in the window."""

    producer_id: str
    sdk: str
    last_hour: datetime
    ledger: Ledger


def producers_of(entries: Sequence[LedgerEntry]) -> list[Producer]:
    """Return the producers, those that lost something first, then by what they sent."""
    found: dict[str, Producer] = {}
    for entry in entries:
        hour = fmt.timestamp(entry.hour)
        producer = found.setdefault(entry.producer_id, Producer(entry.producer_id, entry.sdk, hour, Ledger()))
        if hour > producer.last_hour or not producer.sdk:
            producer.sdk = entry.sdk or producer.sdk
        producer.last_hour = max(producer.last_hour, hour)
        producer.ledger = add_entry(producer.ledger, entry)
    return sorted(found.values(), key=lambda one: (-one.ledger.lost, -one.ledger.sent, one.producer_id))


def show_producers(entries: LedgerEntries, colours: Palette) -> None:
    """Show one row for each producer; what was lost is red."""
    rows = [_producer_row(producer) for producer in producers_of(entries.entries)]
    if not rows:
        st.caption("No producer sent anything in this window.")
        page_link("Look at the calls", "logs")
        return
    table = pd.DataFrame(rows)
    red = f"color: {colours.error}; font-weight: 700"
    styled = table.style.map(lambda number: red if number else "", subset=list(_BAD_COLUMNS))
    column = st.column_config
    counts = {
        name: column.NumberColumn(format="localized", width=84)
        for name in ("Sent", "Stored", "Sent twice", "Not stored yet", *_BAD_COLUMNS)
    }
    st.dataframe(
        styled,
        hide_index=True,
        row_height=ROW_PX,
        height=min(11, len(rows) + 1) * ROW_PX + 6,
        column_config={
            **counts,
            "Producer": column.TextColumn(width=170),
            "SDK": column.TextColumn(width=180),
            "Last hour": time_column("Last hour"),
        },
        alt="What each producer sent, and what became of it",
    )


def _producer_row(producer: Producer) -> dict[str, object]:
    ledger = producer.ledger
    return {
        "Producer": producer.producer_id,
        "SDK": producer.sdk or fmt.NOTHING,
        "Last hour": producer.last_hour,
        "Sent": ledger.sent,
        "Stored": ledger.stored,
        "Sent twice": ledger.duplicate,
        "Not stored yet": ledger.queued,
        "Rejected": ledger.rejected,
        "Dead": ledger.dead,
        "Dropped": ledger.dropped,
        "Batches lost": ledger.missing_batches,
    }
