"""Choices of a page's own that are kept in the URL, such as what a chart is grouped by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamlit.delta_generator import DeltaGenerator


def chosen_in_url(parameter: str, options: Iterable[str], default: str) -> str:
    """Return what is chosen: before the control is shown, as what is read may depend on it."""
    chosen = st.query_params.get(parameter, default)
    return chosen if chosen in options else default


def is_on_in_url(parameter: str) -> bool:
    """Return whether a switch is on."""
    return st.query_params.get(parameter) == "1"


def show_choice(
    place: DeltaGenerator, label: str, parameter: str, options: Mapping[str, str], default: str
) -> None:
    """Show a row of choices: the keys of ``options``, as their values."""
    widget = f"choice_{parameter}"
    st.session_state[widget] = chosen_in_url(parameter, options, default)
    place.segmented_control(
        literal(label),
        list(options),
        format_func=lambda option: literal(options[option]),
        key=widget,
        on_change=_keep,
        args=(parameter, default),
        label_visibility="collapsed",
    )


def show_switch(place: DeltaGenerator, label: str, parameter: str, *, hint: str = "") -> None:
    """Show a switch that is off unless the URL says ``1``."""
    widget = f"choice_{parameter}"
    st.session_state[widget] = is_on_in_url(parameter)
    place.toggle(
        literal(label), key=widget, help=literal(hint) or None, on_change=_keep, args=(parameter, False)
    )


def _keep(parameter: str, default: str | bool) -> None:  # noqa: FBT001 - the value of a switch
    value = st.session_state[f"choice_{parameter}"]
    if value == default:
        st.query_params.pop(parameter, None)
    elif value is not None:  # a click on the chosen option unselects it: it stays
        st.query_params[parameter] = "1" if value is True else value
