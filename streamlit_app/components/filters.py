"""Choosing filters: a button that opens them, and a badge for each that is set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.errors import show_panel_state
from streamlit_app.components.safe_text import literal
from streamlit_app.data.analytics import list_facets, to_query
from streamlit_app.data.reads import read_together
from streamlit_app.state.filters import LABELS
from streamlit_app.state.view import View, current_view, show_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.analytics_service_pb2 import FacetValue

_CHANGED: Final = "filters_changed"
_FACETED: Final = ("provider", "model", "op", "env", "code")
"""Filters whose values the server lists."""


def filter_button(view: View, keys: Sequence[str]) -> None:
    """Show the button; the values that can be chosen are read when it opens."""
    # A fragment, so that opening it does not run the whole page.
    st.fragment(_filter_popover, key="filters")(view, tuple(key for key in keys if key in _FACETED))


def _filter_popover(view: View, keys: tuple[str, ...]) -> None:
    if st.session_state.pop(_CHANGED, False):
        st.rerun()
    chosen = sum(len(view.filters.get(key)) for key in keys)
    label = f"Filters ({chosen})" if chosen else "Filters"
    with st.popover(
        literal(label), icon=":material/filter_alt:", on_change="rerun", key="filter_popover"
    ) as popover:
        if not popover.open:
            return
        with read_together("filters", view) as reads:
            facets = reads.start("facets", lambda: list_facets(to_query(view, clock.now())))
        show_panel_state(facets)
        for key in keys:
            _choose(view, key, (facets.value or {}).get(key, []))


def _choose(view: View, key: str, values: Sequence[FacetValue]) -> None:
    counts = {value.value: value.request_count for value in values}
    chosen = list(view.filters.get(key))
    widget = f"filter_{key}"
    st.session_state[widget] = chosen
    st.multiselect(
        literal(LABELS[key]),
        [*counts, *(value for value in chosen if value not in counts)],
        key=widget,
        format_func=lambda value: f"{value} ({fmt.exact(counts.get(value, 0))})",
        placeholder="all",
        on_change=_apply,
        args=(key,),
    )


def _apply(key: str) -> None:
    view = current_view()
    show_view(View(view.window, view.filters.with_values(key, st.session_state[f"filter_{key}"])))
    st.session_state[_CHANGED] = True


def filter_badges(view: View, keys: Sequence[str]) -> None:
    """Show each value that is set, as a button that takes it away."""
    shown = [(key, value) for key, value in view.filters.items() if key in keys]
    # A container even without badges: what follows keeps its place, and so its elements.
    with st.container(horizontal=True, gap="xsmall", key="badges"):
        for key, value in shown:
            st.button(
                f"{literal(LABELS[key])}: {literal(value)}",
                icon=":material/close:",
                icon_position="right",
                key=f"badge_{key}_{value}",
                help="Remove this filter",
                on_click=show_view,
                args=(View(view.window, view.filters.without(key, value)),),
            )
        if len(shown) > 1:
            st.button(
                "Clear all",
                type="tertiary",
                key="badges_clear",
                on_click=show_view,
                args=(View(view.window),),
            )
