"""The table of logs: a wide one, and one of three columns for phones. See style.css for which is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pandas as pd
import streamlit as st
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.colours import colour_of, outcome_colour, palette

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.log_pb2 import Log
    from streamlit.elements.lib.column_types import ColumnConfig

    from streamlit_app.colours import Palette

_OUTCOMES: Final = {OUTCOME_ERROR: ("error", "✕"), OUTCOME_CANCELLED: ("cancelled", "⊘")}
_ROW_PX: Final = 32
_HEAD_PX: Final = 36
_BAR_PX: Final = 88
_TYPICAL: Final = 0.95
"""Quantile of the page's latencies that fills a bar: one very slow call must not make all others dots."""
_NARROW: Final = ["When", "Call", "Latency"]
_WIDE: Final = [
    "When", "Outcome", "Model", "Timing", "Latency", "First token", "In", "Out", "Cost", "Prompt, or error",
    "User",
]  # fmt: skip


def outcome_of(log: Log) -> tuple[str, str]:
    """Return how a call ended, in a word and as a sign."""
    return _OUTCOMES.get(log.outcome, ("success", "✓"))


def show_log_table(logs: Sequence[Log], key: str) -> int | None:
    """Show logs; return the number of the row that was clicked on, among those that were shown until now."""
    colours = palette()
    longest = _longest(logs)
    frame = pd.DataFrame([_row(log, longest, colours) for log in logs])
    styles = pd.DataFrame([_style(log, colours) for log in logs], columns=frame.columns).fillna("")
    clicked: int | None = None
    for name, columns in (("wide", _WIDE), ("narrow", _NARROW)):
        with st.container(key=f"logs_{name}"):
            row = _show(frame[columns], styles[columns], f"logs {name} {key}")
        clicked = clicked if row is None else row
    return clicked


def _show(frame: pd.DataFrame, styles: pd.DataFrame, key: str) -> int | None:
    shown = st.dataframe(
        frame.style.apply(lambda _: styles, axis=None),
        hide_index=True,
        height=_HEAD_PX + _ROW_PX * len(frame) + 2,
        row_height=_ROW_PX,
        placeholder=fmt.NOTHING,
        column_config=_columns(),
        on_select="rerun",
        selection_mode="single-cell",
        key=key,
        alt="Calls, newest first",
    )
    cells = shown.selection.cells
    return cells[0][0] if cells else None


def _longest(logs: Sequence[Log]) -> float:
    known = sorted(fmt.seconds(log.latency) for log in logs if log.HasField("latency"))
    return known[int((len(known) - 1) * _TYPICAL)] if known else 0.0


def _row(log: Log, longest: float, colours: Palette) -> dict[str, object]:
    outcome, sign = outcome_of(log)
    word = (log.error_code or outcome) if outcome == "error" else outcome
    return {
        "When": fmt.timestamp(log.start_time),
        "Outcome": f"{sign} {word}",
        "Call": f"{sign} {log.model}",
        "Model": f"{log.provider} \u00b7 {log.model}",
        "Timing": _timing_image(log, longest, colours),
        "Latency": fmt.seconds(log.latency) * 1000 if log.HasField("latency") else None,
        "First token": fmt.seconds(log.time_to_first_token) * 1000
        if log.HasField("time_to_first_token")
        else None,
        "In": log.input_token_count if log.HasField("input_token_count") else None,
        "Out": log.output_token_count if log.HasField("output_token_count") else None,
        "Cost": log.cost_nano_usd / 1e9 if log.HasField("cost_nano_usd") else None,
        "User": log.user_id or None,
        "Prompt, or error": _first_line(log.error_message or log.input_preview),
    }


def _first_line(text: str) -> str:
    return " ".join(text.split())


def _timing_image(log: Log, longest: float, colours: Palette) -> str | None:
    """Return a bar as long as the call, with a tick at the first token."""
    if not log.HasField("latency") or not longest:
        return None
    outcome, _ = outcome_of(log)
    colour = colours.p95 if outcome == "success" else outcome_colour(outcome, colours)
    width = max(2.0, min(1.0, fmt.seconds(log.latency) / longest) * _BAR_PX)
    tick = ""
    if log.HasField("time_to_first_token"):
        at = min(1.0, fmt.seconds(log.time_to_first_token) / longest) * _BAR_PX
        tick = (
            f"<rect x='0' y='8' width='{at:.1f}' height='8' rx='2' fill='{colours.background}' opacity='.6'/>"
            f"<rect x='{at:.1f}' y='5' width='2' height='14' fill='{colours.text}'/>"
        )
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_BAR_PX * 2}' height='48' "
        f"viewBox='0 0 {_BAR_PX} 24'>"
        f"<rect x='0' y='8' width='{width:.1f}' height='8' rx='2' fill='{colour}'/>{tick}</svg>"
    )
    return f"data:image/svg+xml,{quote(svg)}"


def _style(log: Log, colours: Palette) -> dict[str, str]:
    outcome, _ = outcome_of(log)
    colour = f"color: {outcome_colour(outcome, colours)}"
    failed = colour if outcome == "error" else ""
    return {
        "Outcome": colour,
        "Call": failed,
        "Model": f"color: {colour_of(log.provider, colours)}",
        "Prompt, or error": failed,
    }


def _columns() -> dict[str, ColumnConfig | None]:
    column = st.column_config
    duration = column.NumberColumn(format="%,.0f ms", width=78)
    count = column.NumberColumn(format="localized", width=54)
    return {
        "When": column.DatetimeColumn(format="DD MMM HH:mm:ss", timezone=str(clock.viewer_zone()), width=116),
        "Outcome": column.TextColumn(width=142),
        "Call": column.TextColumn(width=150),
        "Model": column.TextColumn("Provider \u00b7 model", width=186),
        "Timing": column.ImageColumn(
            width=_BAR_PX + 16, help="A bar as long as the call; the tick is the first token"
        ),
        "Latency": duration,
        "First token": duration,
        "In": count,
        "Out": count,
        "Cost": column.NumberColumn(format="$%.5f", width=72, help="Of calls whose price is known"),
        "User": column.TextColumn(width=80),
        "Prompt, or error": column.TextColumn(width=214),
    }
