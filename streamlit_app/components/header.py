"""The row at the top of every page: title, window, filters, refresh and link."""

from __future__ import annotations

from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Final, ParamSpec

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.errors import unexpected_errors
from streamlit_app.components.filters import filter_badges, filter_button
from streamlit_app.components.links import page_url
from streamlit_app.components.safe_text import literal
from streamlit_app.data.connection import settings
from streamlit_app.state.filters import METRIC_KEYS
from streamlit_app.state.view import MAX_NAME_CHARS, NAME, View, current_view, show_view, view_name
from streamlit_app.state.window import PRESETS, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from streamlit.delta_generator import DeltaGenerator

P = ParamSpec("P")
_PRESET: Final = "header_preset"
_START: Final = "header_start"
_END: Final = "header_end"
_PAUSED: Final = "paused"
_NAME: Final = "link_name"
REFRESH: Final = "refresh"
"""Key of the button that is on while the page runs because of it."""


class Header:
    """What the header says: what to show, and how often to read it."""

    def __init__(self, view: View, updated: DeltaGenerator) -> None:
        self.view = view
        self._updated = updated

    @property
    def refresh_s(self) -> float | None:
        """How often to refresh, in seconds; None while the visitor has paused it. For ``run_every``."""
        return None if st.session_state.get(_PAUSED) else settings().refresh_s

    def refreshing(self, part: Callable[P, None]) -> Callable[P, None]:
        """Return a part of a page as one that refreshes by itself, unless the visitor has paused it."""

        @wraps(part)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            with unexpected_errors():
                part(*args, **kwargs)

        return st.fragment(guarded, run_every=self.refresh_s)

    def show_updated(self, time: datetime | None) -> None:
        """Say when the page's numbers were read."""
        if time:
            words = "paused at" if self.refresh_s is None else "updated"
            at = fmt.clock_time(time, clock.viewer_zone())
            self._updated.caption(f"{literal(words)} {literal(at)}", width="content")


def page_header(
    title: str,
    page: str,
    *,
    filter_keys: Sequence[str] = METRIC_KEYS,
    refreshes: bool = True,
    link: Mapping[str, str] | None = None,
) -> Header:
    """Show the header of a page that has a window; return what it says.

    ``page`` is the page's name in ``pages.py``; ``filter_keys`` are the filters that act on it. ``refreshes``
    says whether it reads by itself again and again, which can be paused; ``link`` has what a link to it says
    beside window and filters.
    """
    view, name = current_view(), view_name()
    if name:
        st.set_page_config(page_title=f"{name} · {title} · LLM Observe")  # what a bookmark is called
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="header"):
        st.title(literal(title), anchor=False, width="content")
        if name:
            st.caption(f":material/bookmark: {literal(name)}", width="content")
        st.space("stretch")
        updated = st.empty()
        _window_control(view.window)
        if filter_keys:
            with st.container(width="content"):
                filter_button(view, filter_keys)
        if refreshes:
            _pause_button()
        # Any click runs the page, and with it everything that it reads.
        st.button("", icon=":material/refresh:", key=REFRESH, help="Refresh now", shortcut="u")
        _link_button(page, view, link or {})
    if filter_keys:
        filter_badges(view, filter_keys)
    return Header(view, updated)


def plain_header(title: str) -> DeltaGenerator:
    """Show the header of a page without a window; return the row, for the page's own controls."""
    row = st.container(horizontal=True, vertical_alignment="center", gap="small", key="header")
    row.title(literal(title), anchor=False, width="content")
    row.space("stretch")
    return row


def _window_control(window: Window) -> None:
    # The URL decides what is chosen, also after Back; callbacks write the URL.
    st.session_state[_PRESET] = window.preset or None
    st.segmented_control(
        "Window",
        list(PRESETS),
        key=_PRESET,
        on_change=_choose_preset,
        label_visibility="collapsed",
        help="The last so many finished steps and the running one.",
    )
    label = "Custom"
    if window.start and window.end:
        label = fmt.time_range(window.start, window.end, clock.viewer_zone())
    with st.popover(literal(label), icon=":material/date_range:", type="secondary"):
        _custom_range(window)


def _choose_preset() -> None:
    preset = st.session_state[_PRESET]
    if preset:  # a click on the chosen one unselects it: it stays
        show_view(current_view().during(Window(preset)))


def _custom_range(window: Window) -> None:
    bounds, zone = window.bounds(clock.now()), clock.viewer_zone()
    for key, label, time in ((_START, "From", bounds.start), (_END, "To", bounds.end)):
        st.session_state[key] = time.astimezone(zone).replace(tzinfo=None)
        st.datetime_input(literal(label), key=key, step=timedelta(minutes=15), on_change=_choose_range)
    st.caption(f"Time zone: {literal(str(zone))}")


def _choose_range() -> None:
    start, end = st.session_state[_START], st.session_state[_END]
    if start and end and start != end:
        zone = clock.viewer_zone()
        window = Window.between(start.replace(tzinfo=zone), end.replace(tzinfo=zone))
        show_view(current_view().during(window))


def _pause_button() -> None:
    paused = bool(st.session_state.get(_PAUSED))
    st.button(
        "",
        icon=":material/play_arrow:" if paused else ":material/pause:",
        key="pause",
        help="Refresh by itself again" if paused else "Stop refreshing by itself",
        on_click=_toggle_paused,
    )


def _toggle_paused() -> None:
    st.session_state[_PAUSED] = not st.session_state.get(_PAUSED)


def _link_button(page: str, view: View, others: Mapping[str, str]) -> None:
    with st.popover("", icon=":material/link:", help="Link to what is shown"):
        st.caption("Link to this window with these filters. With a name it is a view to keep as a bookmark.")
        name = st.text_input(
            "Name", key=_NAME, max_chars=MAX_NAME_CHARS, placeholder="Failed calls of production"
        )
        link = page_url(page, view, **others, **{NAME: " ".join(name.split())})
        st.code(link, language=None, wrap_lines=True)
