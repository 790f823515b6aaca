"""Tokens of the window: one thin bar, and what its parts are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt
import streamlit as st

from streamlit_app import format as fmt
from streamlit_app.components.charts import Row, chart_of
from streamlit_app.components.safe_text import html_text, literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.analytics_service_pb2 import Metrics

    from streamlit_app.colours import Palette

_BAR_PX: Final = 12
_HEIGHT: Final = 16


def show_tokens(metrics: Metrics, colours: Palette) -> None:
    """Show the bar; nothing where no call reported tokens."""
    cached = metrics.cache_read_token_count
    reasoning = metrics.reasoning_token_count
    parts = (
        ("input", metrics.input_token_count - cached, colours.p50),
        ("cached", cached, colours.p99),
        ("output", metrics.output_token_count - reasoning, colours.ttft),
        ("reasoning", reasoning, colours.others[1]),
    )
    shown = [(name, count, colour) for name, count, colour in parts if count > 0]
    total = sum(count for _, count, _ in shown)
    if not total:
        return
    rows: list[Row] = [
        {
            "part": f"{name} {fmt.compact(count)}",
            "tokens": count,
            "words": f"{fmt.exact(count)} ({fmt.percent(count / total)})",
            "rank": rank,
        }
        for rank, (name, count, _) in enumerate(shown)
    ]
    with st.container(border=True, gap="xxsmall", key="tokens"):
        st.markdown(f"**Tokens** {literal(fmt.compact(total))}", width="content")
        words = ", ".join(f"{row['part']}" for row in rows)
        st.altair_chart(
            _bar(rows, total, [colour for _, _, colour in shown]), key="token_bar", alt=f"Tokens: {words}."
        )
        # In words of the page, as a legend of Vega is cut where it is too wide.
        st.html(
            "".join(
                f"<span><i style='background: {colour}'></i>{html_text(str(row['part']))}</span>"
                for row, (_, _, colour) in zip(rows, shown, strict=True)
            )
        )


def _bar(rows: Sequence[Row], total: int, colours: Sequence[str]) -> alt.Chart:
    scale = alt.Scale(domain=[row["part"] for row in rows], range=list(colours))
    chart: alt.Chart = (
        chart_of(rows)
        .mark_bar(height=_BAR_PX)
        .encode(
            x=alt.X("tokens:Q", stack="zero", axis=None, scale=alt.Scale(domain=[0, total], nice=False)),
            color=alt.Color("part:N", scale=scale, legend=None),
            order="rank:Q",
            tooltip=[alt.Tooltip("part:N", title="tokens"), alt.Tooltip("words:N", title="exactly")],
        )
        .properties(height=_HEIGHT, padding={"left": 0, "top": 0, "right": 0, "bottom": 0})
    )
    return chart
