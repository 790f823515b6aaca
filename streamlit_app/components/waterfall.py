"""The waterfall of a trace: a tree of bars on one scale of time. See waterfall.js."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit_app.traces.rows import Row
    from streamlit_app.traces.scale import Scale

_FOLDER: Final = Path(__file__).parent
_COMPONENT: Final = st.components.v2.component(
    "llm_observe.waterfall",
    css=(_FOLDER / "waterfall.css").read_text(),
    js=(_FOLDER / "waterfall.js").read_text(),
)
_ICONS: Final = {"llm": "◆", "tool": "⚙", "agent": "▣", "retriever": "⌕", "embedding": "◇"}


def show_waterfall(rows: Sequence[Row], scale: Scale, *, selected: str, title: str, key: str) -> str:
    """Show the rows; return the log of the row that was clicked on, empty if none was.

    ``selected`` is the log of the row to mark, ``title`` says what the tree shows to those who do not see it.
    """
    data = {
        "rows": [row.to_json() for row in rows],
        "ticks": scale.labels(),
        "icons": _ICONS,
        "selected": selected,
        "title": title,
    }
    state = _COMPONENT(data=data, key=key, on_picked_change=lambda: None)
    return str(state.get("picked") or "")
