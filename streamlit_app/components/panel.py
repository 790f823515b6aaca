"""Panels: a bordered part of a page with a title and a row of controls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import literal, small

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamlit.delta_generator import DeltaGenerator

    from streamlit_app.state.view import View


@contextmanager
def panel(title: str, *, note: str = "", key: str) -> Iterator[DeltaGenerator]:
    """Show a panel; the block's elements are in it. Yield the row of its title, for controls."""
    with st.container(border=True, height="stretch", gap="xsmall", key=f"panel_{key}"):
        row = st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"head_{key}")
        row.header(literal(title), anchor=False, width="content")
        if note:
            row.markdown(small(note), width="content")
        row.space("stretch")
        yield row


def logs_link(row: DeltaGenerator, view: View, label: str = "Logs") -> None:
    """Show a link from a panel to the logs behind its numbers."""
    with row:
        page_link(label, "logs", view, icon=":material/list_alt:", hint="The calls behind these numbers")
