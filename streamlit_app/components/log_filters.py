"""Filters that act on logs alone: users, tags, identifiers, and ranges of time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app.components.safe_text import literal
from streamlit_app.data.analytics import query_breakdown, to_query
from streamlit_app.data.reads import read_together
from streamlit_app.state.filters import LABELS
from streamlit_app.state.view import View, current_view, show_view

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SUGGESTED: Final = ("user", "tag", "release")
"""Filters whose commonest values the server can list."""
_SUGGESTIONS: Final = 20
_MAX_CHARS: Final = 200
_RANGES: Final = ("latency", "ttft")
_WRITTEN: Final = ("session", "conversation", "trace")


def choose_log_filters(view: View, keys: Sequence[str], changed: Callable[[], None]) -> None:
    """Show a control for each of the filters; ``changed`` is called after each change."""
    suggested = [key for key in _SUGGESTED if key in keys]
    if suggested:
        query = to_query(view.metrics_only(), clock.now())
        with read_together("suggestions", view.metrics_only()) as reads:
            answers = {
                key: reads.start(key, partial(query_breakdown, query, key, _SUGGESTIONS)) for key in suggested
            }
        for key, answer in answers.items():
            rows = answer.value.rows if answer.value else []
            _suggest(view, key, [row.group for row in rows if row.group], changed)
    for key in _RANGES:
        if key in keys:
            _range(view, key, changed)
    for key in _WRITTEN:
        if key in keys:
            write_filter(view, key, changed)


def write_filter(
    view: View, key: str, changed: Callable[[], None], placeholder: str = "any", *, is_search: bool = False
) -> None:
    """Show a box to write a value of a filter into; a search box has an icon instead of a label."""
    widget = _widget(key, next(iter(view.filters.get(key)), ""))
    st.text_input(
        literal(LABELS[key]),
        key=widget,
        placeholder=placeholder,
        max_chars=_MAX_CHARS,
        icon=":material/search:" if is_search else None,
        label_visibility="collapsed" if is_search else "visible",
        on_change=_keep,
        args=(key, widget, changed),
    )


def _suggest(view: View, key: str, values: list[str], changed: Callable[[], None]) -> None:
    chosen = list(view.filters.get(key))
    widget = _widget(key, chosen)
    st.multiselect(
        literal(LABELS[key]),
        [*values, *(value for value in chosen if value not in values)],
        key=widget,
        accept_new_options=True,
        max_selections=1 if key == "user" else None,
        placeholder="all, or write one",
        on_change=_keep,
        args=(key, widget, changed),
    )


def _range(view: View, key: str, changed: Callable[[], None]) -> None:
    least, _, most = next(iter(view.filters.get(key)), "..").partition("..")
    for column, side, value in zip(st.columns(2), ("from", "to"), (least, most), strict=True):
        widget = f"filter_{key}_{side}"
        st.session_state[widget] = float(value) if value.strip(".") else None
        column.number_input(
            f"{literal(LABELS[key])} {side}, s",
            key=widget,
            min_value=0.0,
            step=0.5,
            placeholder="any",
            on_change=_keep_range,
            args=(key, changed),
        )


def _widget(key: str, value: str | list[str]) -> str:
    """Set a widget to what the URL says, unless it says so already; return its key."""
    widget = f"filter_{key}"
    if st.session_state.get(widget) != value:
        st.session_state[widget] = value
    return widget


def _keep(key: str, widget: str, changed: Callable[[], None]) -> None:
    value = st.session_state[widget]
    values = value if isinstance(value, list) else [value.strip()]
    _filter(key, [text for text in values if text], changed)


def _keep_range(key: str, changed: Callable[[], None]) -> None:
    least, most = (st.session_state[f"filter_{key}_{side}"] for side in ("from", "to"))
    words = [f"{value:g}" if value is not None else "" for value in (least, most)]
    _filter(key, [f"{words[0]}..{words[1]}"] if any(words) else [], changed)


def _filter(key: str, values: list[str], changed: Callable[[], None]) -> None:
    view = current_view()
    show_view(View(view.window, view.filters.with_values(key, values)))
    changed()
