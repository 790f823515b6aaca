"""Tells whether the mouse is in a container: what is being pointed at should not move."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

_COMPONENT: Final = st.components.v2.component(
    "llm_observe.hover", js=Path(__file__).with_name("hover.js").read_text()
)


def is_mouse_in(container_key: str) -> bool:
    """Return whether the mouse is in the container that has the key."""
    data = {"within": f"st-key-{container_key}"}
    state = _COMPONENT(data=data, key=f"hover_{container_key}", on_inside_change=lambda: None)
    return bool(state.get("inside"))
