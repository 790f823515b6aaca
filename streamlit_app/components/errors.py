"""How pages show that a call failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from datetime import datetime

    from streamlit_app.client import ServerError


def show_error(error: ServerError) -> None:
    """Show a failed call."""
    st.error(literal(f"{error.message} ({error.reason})"), icon=":material/cloud_off:")


def show_stale(error: ServerError, *, since: datetime, refresh_s: float) -> None:
    """Say that the numbers below are old, why, and what to do."""
    st.warning(
        f"**Stale since {since:%H:%M:%S} UTC.** {literal(error.message)} ({literal(error.reason)}) "
        f"The page retries every {refresh_s:g} s; run `llm-observe status` to find the cause.",
        icon=":material/cloud_off:",
    )
