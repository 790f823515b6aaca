"""Failed calls: which codes at which provider, and the latest ones, grouped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import altair as alt
import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.charts import PICK, Row, chart_of, layered, show_chart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from llm_observe.v1.log_pb2 import Log

    from streamlit_app.colours import Palette

_ROW_PX: Final = 30
_PROVIDER_AXIS: Final = alt.Axis(
    orient="top",
    labelAngle=0,
    domain=False,
    ticks=False,
    labelAlign="center",
    labelOverlap=False,
    labelLimit=90,
)
_MAX_CODES: Final = 8
_MAX_ROWS: Final = 8


class Cell(NamedTuple):
    """A provider and one of its error codes."""

    provider: str
    code: str


def show_error_codes(counts: Mapping[str, Mapping[str, int]], colours: Palette, key: str) -> Cell | None:
    """Show how often each code came from each provider; return the cell that was clicked on."""
    totals: dict[str, int] = {}
    for of_provider in counts.values():
        for code, count in of_provider.items():
            totals[code] = totals.get(code, 0) + count
    codes = sorted(totals, key=lambda code: -totals[code])[:_MAX_CODES]
    rows: list[Row] = [
        {"provider": provider, "code": code, "count": count, "words": fmt.exact(count)}
        for provider, of_provider in counts.items()
        for code in codes
        if (count := of_provider.get(code, 0))
    ]
    described = ", ".join(f"{row['provider']} {row['code']} {row['words']}" for row in rows)
    selection = show_chart(
        _heat(rows, codes, [totals[code] for code in codes], colours),
        height=_ROW_PX * max(2, len(codes)),
        key=f"codes {key}",
        alt_text=f"Failed calls by error code and provider: {described}.",
        selections=[PICK],
    )
    picked = selection.get(PICK)
    cell = picked[0] if isinstance(picked, list) and picked else None
    return Cell(str(cell["provider"]), str(cell["code"])) if isinstance(cell, dict) else None


def error_code_rows(counts: Mapping[str, Mapping[str, int]]) -> list[dict[str, object]]:
    """Return how many calls failed by provider and code, most first."""
    rows = [
        {"Provider": provider, "Code": code, "Failed": count}
        for provider, of_provider in counts.items()
        for code, count in of_provider.items()
        if count
    ]
    return sorted(rows, key=lambda row: -int(str(row["Failed"])))


def _heat(
    rows: Sequence[Row], codes: Sequence[str], counts: Sequence[int], colours: Palette
) -> alt.LayerChart:
    most = max(counts)
    base = chart_of(rows).encode(
        x=alt.X("provider:N", title=None, axis=_PROVIDER_AXIS),
        y=alt.Y(
            "code:N", title=None, sort=list(codes),
            axis=alt.Axis(
                domain=False, ticks=False, labelFlush=False, labelLimit=150, minExtent=150, maxExtent=150
            ),
        ),
        tooltip=[
            alt.Tooltip("provider:N", title="provider"),
            alt.Tooltip("code:N", title="code"),
            alt.Tooltip("words:N", title="failed"),
        ],
    )  # fmt: skip
    strength = alt.Opacity("count:Q", legend=None, scale=alt.Scale(domain=[0, most], range=[0.08, 0.75]))
    cells = (
        base.mark_rect(color=colours.error, cornerRadius=3, stroke=colours.background, strokeWidth=2)
        .encode(opacity=strength)
        .add_params(alt.selection_point(name=PICK, fields=["provider", "code"]))
    )
    return layered(cells, base.mark_text(color=colours.text, fontWeight=600).encode(text="words:N"))


@dataclass(slots=True)
class ErrorGroup:
    """Failed calls with the same provider, code and message."""

    latest: Log
    count: int = 0


def group_errors(logs: Sequence[Log]) -> list[ErrorGroup]:
    """Return failed calls by provider, code and message, the latest first. ``logs`` are newest first."""
    groups: dict[tuple[str, str, str], ErrorGroup] = {}
    for log in logs:
        group = groups.setdefault((log.provider, log.error_code, log.error_message), ErrorGroup(log))
        group.count += 1
    return list(groups.values())


def show_recent_errors(logs: Sequence[Log], now: datetime, key: str) -> Log | None:
    """Show the latest kinds of failures; return the latest call of the one that was clicked on."""
    groups = group_errors(logs)[:_MAX_ROWS]
    rows = [
        {
            "Last": fmt.ago(fmt.timestamp(group.latest.start_time), now),
            "Count": group.count,
            "Provider": group.latest.provider,
            "Code": group.latest.error_code or fmt.NOTHING,
            "Message": group.latest.error_message,
            "At": fmt.timestamp(group.latest.start_time),
        }
        for group in groups
    ]
    column = st.column_config
    shown = st.dataframe(
        rows,
        hide_index=True,
        row_height=32,
        column_config={
            "Last": column.TextColumn(width=90),
            "Count": column.NumberColumn(format="localized", width=60),
            "Message": column.TextColumn(width="large"),
            "At": column.DatetimeColumn(
                "Last at", format="DD MMM HH:mm:ss", timezone=str(clock.viewer_zone())
            ),
        },
        on_select="rerun",
        selection_mode="single-cell",
        key=f"errors {key}",
        alt="The latest kinds of failures",
    )
    cells = shown.selection.cells
    return groups[cells[0][0]].latest if cells and cells[0][0] < len(groups) else None
