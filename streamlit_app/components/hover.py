"""Tells whether the mouse is in a container: what is being pointed at should not move."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

_COMPONENT: Final = st.components.v2.component(
    "llm_observe.hover", js=Path(__file__).with_name("hover.js").read_text()
)


def is_mouse_in(*container_keys: str) -> bool:
    """Return whether the mouse is in one of the containers that have the keys, or was half a second ago."""
    data = {"within": ", ".join(f".st-key-{key}" for key in container_keys)}
    state = _COMPONENT(data=data, key=f"hover_{container_keys[0]}", on_inside_change=lambda: None)
    return bool(state.get("inside"))
