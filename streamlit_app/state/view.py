"""Window and filters together: read from the URL, written to it, carried by links."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.state.filters import KEYS, METRIC_KEYS, Filters
from streamlit_app.state.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_REMEMBERED: Final = "view"
NAME: Final = "name"
"""Parameter with the name that a link gives to its view; another view has it no more."""
MAX_NAME_CHARS: Final = 60
_QUERY_KEYS: Final = frozenset({"window", "from", "to", NAME, *KEYS})


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows."""

    window: Window = field(default_factory=Window)
    filters: Filters = field(default_factory=Filters)

    @classmethod
    def from_query(cls, query: Mapping[str, Sequence[str]]) -> View:
        """Return the view of a URL."""
        return cls(Window.from_query(query), Filters.from_query(query))

    def to_query(self) -> dict[str, list[str]]:
        """Return the parameters of a URL; nothing for what is the default."""
        return {**self.window.to_query(), **self.filters.to_query()}

    def filtered(self, key: str, *values: str) -> View:
        """Return this view, narrowed to values of one filter."""
        return replace(self, filters=self.filters.with_values(key, values))

    def during(self, window: Window) -> View:
        """Return this view of another window."""
        return replace(self, window=window)

    def metrics_only(self) -> View:
        """Return this view with the filters that act on numbers."""
        return replace(self, filters=self.filters.only(METRIC_KEYS))


def view_name() -> str:
    """Return the name that the URL gives to its view; empty if it gives none."""
    return " ".join(st.query_params.get(NAME, "").split())[:MAX_NAME_CHARS]


def current_view() -> View:
    """Return the view in the URL, and remember it for links from pages that have none."""
    query = st.query_params
    view = View.from_query({key: query.get_all(key) for key in query})
    st.session_state[_REMEMBERED] = view
    return view


def last_view() -> View:
    """Return the view that was shown last in this session."""
    view = st.session_state.get(_REMEMBERED)
    return view if isinstance(view, View) else View()


def show_view(view: View) -> None:
    """Write a view to the URL; other parameters stay. Call it in a callback: the page runs afterwards."""
    query = st.query_params
    others = {key: query.get_all(key) for key in query if key not in _QUERY_KEYS}
    query.from_dict({**view.to_query(), **others})
    st.session_state[_REMEMBERED] = view
