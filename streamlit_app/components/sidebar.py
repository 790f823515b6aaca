"""The sidebar: logo, pages in groups, and whether the server is well."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import health_service_pb2 as pb
from streamlit.delta_generator import DeltaGenerator

from streamlit_app import format as fmt
from streamlit_app.components.links import can_open
from streamlit_app.components.safe_text import literal
from streamlit_app.data.caller import get_caller
from streamlit_app.data.connection import settings
from streamlit_app.data.reads import read_together
from streamlit_app.data.server import check_health
from streamlit_app.pages import ENTRIES, registered
from streamlit_app.roles import why_not

if TYPE_CHECKING:
    from streamlit_app.data.reads import Read
    from streamlit_app.pages import Entry
    from streamlit_app.state.view import View

_FOLDER: Final = Path(__file__).parent.parent
_PAGE_AREA: Final = "sidebar_page_area"
_STATES: Final = {
    pb.HEALTH_STATE_HEALTHY: ("green", "healthy"),
    pb.HEALTH_STATE_DEGRADED: ("orange", "needs attention"),
    pb.HEALTH_STATE_UNHEALTHY: ("red", "unhealthy"),
}


def show_sidebar(view: View) -> None:
    """Show the sidebar; its links to pages that have a view carry this one."""
    dark = st.context.theme.type == "dark"
    logo = _FOLDER / ("logo-dark.svg" if dark else "logo-light.svg")
    st.logo(logo, size="large", icon_image=_FOLDER / "icon.svg")
    with st.sidebar:
        for group, entries in groupby(ENTRIES, lambda entry: entry.group):
            _show_group(group, [entry for entry in entries if not entry.hidden], view)
        st.session_state[_PAGE_AREA] = st.container(key="page_area")


def show_server_line() -> None:
    """Show at the foot of the sidebar whether the server is well.

    Call it last, so that no page waits for the answer.
    """
    with st.sidebar:
        st.space("stretch")
        st.fragment(_show_server, run_every=settings().refresh_s, key="server")()


def page_area() -> DeltaGenerator:
    """Return the place in the sidebar for what the page adds to it."""
    area = st.session_state.get(_PAGE_AREA)
    return area if isinstance(area, DeltaGenerator) else st.sidebar.container()


def _show_group(group: str, entries: list[Entry], view: View) -> None:
    entries = [entry for entry in entries if entry.name in registered()]
    if not entries:
        return
    with st.container(gap=None):
        st.caption(literal(group))
        for entry in entries:
            query = view.to_query() if entry.has_view else None
            reason = why_not(*entry.roles)
            st.page_link(
                registered()[entry.name],
                query_params=query,
                width="stretch",
                disabled=reason is not None,
                help=reason,
            )


def _show_server() -> None:
    with read_together("sidebar", None) as reads:
        health = reads.start("health", check_health)
        caller = reads.start("caller", get_caller)
    colour, words = describe(health)
    state, _, counts = words.partition(" · ")
    with st.container(gap="xxsmall", key="server_line"):
        if can_open("operations"):
            st.page_link(
                registered()["operations"], label=f":{literal(colour)}[●] {literal(state)}", icon=None
            )
        else:
            st.markdown(f":{literal(colour)}[●] {literal(state)}")
        lines = [
            counts,
            caller.value.project_name if caller.value else "",
            f"v{health.value.version}" if health.value else "",
        ]
        st.caption(literal(" · ".join(line for line in lines if line)))


def describe(health: Read[pb.CheckResponse]) -> tuple[str, str]:
    """Return a colour and a few words on the state of the server."""
    if health.error or health.value is None:
        return "red", "no answer"
    answer = health.value
    counts = []
    if answer.HasField("queue"):
        counts.append(f"queue {fmt.compact(answer.queue.depth)}")
    if answer.dead_letter_count:
        dead = answer.dead_letter_count
        counts.append(f"{fmt.compact(dead)} dead letter{'' if dead == 1 else 's'}")
    colour, word = _STATES.get(answer.state, ("gray", "unknown"))
    return colour, " · ".join([word, *counts])
