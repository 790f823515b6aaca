"""The line at the foot: whether everything that was sent is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from streamlit_app import format as fmt
from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from streamlit_app.data.server import Ledger


def show_ledger(ledger: Ledger) -> None:
    """Show what producers sent in the window as a sum of what became of it."""
    lost = ledger.dead + ledger.dropped + ledger.rejected + ledger.missing_batches
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="ledger"):
        if lost:
            st.caption(f":orange[:material/warning:] {literal(describe(ledger))}", width="content")
        else:
            st.caption(f":green[:material/check_circle:] {literal(describe(ledger))}", width="content")
        page_link("Delivery", "operations")


def describe(ledger: Ledger) -> str:
    """Return the ledger as a sum, with what never arrived."""
    parts = [("stored", ledger.stored), ("stored before", ledger.duplicate), ("queued", ledger.queued)]
    parts += [("rejected", ledger.rejected), ("in dead letters", ledger.dead)]
    terms = " + ".join(f"{fmt.exact(count)} {name}" for name, count in parts if count) or "0 stored"
    losses = f"{fmt.exact(ledger.dropped)} dropped by producers"
    if ledger.missing_batches:
        plural = "" if ledger.missing_batches == 1 else "es"
        losses += f" · {fmt.exact(ledger.missing_batches)} batch{plural} never arrived"
    at_least = "" if ledger.is_whole else "at least "
    return f"Sent {at_least}{fmt.exact(ledger.sent)} = {terms} · {losses}"
