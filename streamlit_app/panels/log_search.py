"""How far a search of logs has come, with a button that stops it or has it go on."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Hashable

    from streamlit_app.data.log_search import LogSearch

_KEPT: Final = "log_search_kept"
_MAX_AGE: Final = timedelta(minutes=5)
"""What was found longer ago is searched for again."""


def keep_search(of: Hashable, search: LogSearch) -> None:
    """Keep a search that takes several steps: a refresh of the page must not begin it again."""
    if search.step_count > 1 or search.is_running:
        st.session_state[_KEPT] = (of, search)


def kept_search(of: Hashable) -> LogSearch | None:
    """Return the search that was kept of this view and page."""
    kept: tuple[Hashable, LogSearch] | None = st.session_state.get(_KEPT)
    if kept is None or kept[0] != of:
        return None
    search = kept[1]
    return search if search.is_running or clock.now() - search.begin_time < _MAX_AGE else None


def _forget_search() -> None:
    st.session_state.pop(_KEPT, None)


class SearchLine:
    """A line above the table: what is below it may grow, and the line stays where it is."""

    def __init__(self, search: LogSearch) -> None:
        self._search = search
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="log_search"):
            self._button, self._words = st.empty(), st.empty()
        if search.is_running:
            self._button.button("Stop", icon=":material/stop:", key="search_stop", on_click=search.stop)

    def search_on(self, at_most: int | None = None) -> None:
        """Search step by step, and say how far it has come.

        What is found is shown when the page runs again: at once, unless the steps are limited.
        """
        search, shown = self._search, len(self._search.listed.logs)
        self._say()
        for _ in itertools.count() if at_most is None else range(at_most):
            if not search.is_running:
                break
            search.step()
            if at_most is None and len(search.listed.logs) > shown:
                st.rerun()
            self._say()
        if not search.is_running:
            self._offer()

    def _say(self) -> None:
        self._words.caption(literal(_describe(self._search)), width="content")

    def _offer(self) -> None:
        if self._search.is_whole:
            self._button.button(
                "Search again", icon=":material/refresh:", key="search_again", on_click=_forget_search
            )
        else:
            self._button.button(
                "Search on", icon=":material/search:", key="search_on", on_click=self._search.go_on
            )


def _describe(search: LogSearch) -> str:
    zone, found = clock.viewer_zone(), f"{len(search.listed.logs)} found"
    back_to = fmt.date_time(fmt.timestamp(search.listed.searched_time), zone)
    if search.is_running:
        return f"Searching, back to {back_to} so far: {found}"
    if not search.listed.next_page_token:
        return f"Searched all of the window at {fmt.clock_time(search.begin_time, zone)}: {found}"
    words = f"Searched back to {back_to} so far: {found}"
    return f"{words}. {search.error.message}" if search.error else words
