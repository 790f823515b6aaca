"""What the panels of the page share: words for a missing role, tables whose rows open something."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import streamlit as st

from streamlit_app import clock
from streamlit_app.components.dialogs import opened_count
from streamlit_app.components.errors import show_panel_state
from streamlit_app.components.safe_text import literal
from streamlit_app.data.connection import DENIED
from streamlit_app.roles import why_not

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp
    from streamlit.elements.lib.column_types import ColumnConfig

    from streamlit_app.data.reads import Read

ROW_PX = 32


def is_denied(*reads: Read[object]) -> bool:
    """Return whether the visitor lacks the role that one of the reads needs."""
    return any(read.error is not None and read.error.reason == DENIED for read in reads)


def show_denied() -> None:
    """Say which role is missing, and who can give it."""
    st.info(
        literal(
            why_not("admin") or "This part needs the role admin, which the key of this app does not have."
        ),
        icon=":material/lock:",
    )


def show_state(read: Read[object]) -> bool:
    """Tell of an answer that is missing or old. Return whether there is one to show."""
    if is_denied(read):
        show_denied()
        return False
    return show_panel_state(read)


def optional_time(time: Timestamp) -> object:
    """Return a time for a table; None, an empty cell, where it is not set."""
    return time.ToDatetime(tzinfo=UTC) if time.ByteSize() else None


def time_column(label: str) -> ColumnConfig:
    """Return a column of times in the viewer's zone."""
    return st.column_config.DatetimeColumn(
        label, format="DD MMM HH:mm", timezone=str(clock.viewer_zone()), width=110
    )


def show_rows(
    rows: Sequence[Mapping[str, object]], columns: Mapping[str, ColumnConfig], *, key: str, alt: str
) -> int | None:
    """Show a table whose rows can be clicked on; return the number of the row that was."""
    shown = st.dataframe(
        [dict(row) for row in rows],
        hide_index=True,
        row_height=ROW_PX,
        column_config=dict(columns),
        on_select="rerun",
        selection_mode="single-cell",
        key=f"{key} {opened_count()}",
        placeholder="",
        alt=alt,
    )
    cells = shown.selection.cells
    return cells[0][0] if cells and cells[0][0] < len(rows) else None
