"""Tokens of the window: one thin bar, and what its parts are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from streamlit_app import format as fmt
from streamlit_app.components.legend import Part, legend_html, shares_html
from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from llm_observe.v1.analytics_service_pb2 import Metrics

    from streamlit_app.colours import Palette


def show_tokens(metrics: Metrics, colours: Palette) -> None:
    """Show the bar; nothing where no call reported tokens."""
    cached = metrics.cache_read_token_count
    reasoning = metrics.reasoning_token_count
    parts = [
        part
        for part in (
            Part("input", colours.p50, metrics.input_token_count - cached),
            Part("cached", colours.p99, cached),
            Part("output", colours.ttft, metrics.output_token_count - reasoning),
            Part("reasoning", colours.others[1], reasoning),
        )
        if part.amount > 0
    ]
    if not parts:
        return
    named = [part._replace(name=f"{part.name} {fmt.compact(part.amount)}") for part in parts]
    with st.container(border=True, gap="xxsmall", key="tokens"):
        total = fmt.compact(sum(part.amount for part in parts))
        st.markdown(f"**Tokens** {literal(total)}", width="content")
        # No chart: the page shows this with its first numbers, before the browser has loaded Vega.
        words = ", ".join(part.name for part in named)
        st.html(shares_html(parts, f"Tokens: {words}.") + legend_html(named))
