"""What pages show where there is nothing to show: what that means, and what to do."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import literal
from streamlit_app.data.connection import settings
from streamlit_app.data.reads import has_answers, read_together
from streamlit_app.state.filters import LABELS
from streamlit_app.state.view import View, show_view
from streamlit_app.state.window import Window

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from streamlit_app.data.connection import ServerError
    from streamlit_app.data.reads import Reads

_DRAWING_S: Final = 0.5
"""How long charts are kept from a browser that has no numbers yet, in seconds."""
_SOON_S: Final = 0.15
"""How long answers may take before placeholders are shown for them, in seconds."""


def let_numbers_be_drawn() -> None:
    """Wait a little before charts are shown to a browser that has no numbers yet.

    It would load and draw charts before numbers that have come first, which takes it several times as long.
    """
    time.sleep(_DRAWING_S)


def show_no_data(what: str = "calls") -> None:
    """Say that nothing was ever recorded, and three ways to begin. The page refreshes by itself."""
    with st.container(border=True):
        st.subheader(f"No {literal(what)} yet", anchor=False)
        st.caption(":material/hourglass_top: Waiting for the first one: this page refreshes by itself.")
        first, second, third = st.columns(3)
        with first.container(border=True, height="stretch"):
            st.markdown("**1. Ask a model**\n\nA question on the Chat page is recorded like any other call.")
            page_link("Open Chat", "chat")
        with second.container(border=True, height="stretch"):
            st.markdown("**2. Look around with demo data**\n\nA week of calls of a made-up application.")
            st.code("llm-observe demo-traffic", language="bash")
        with third.container(border=True, height="stretch"):
            st.markdown("**3. Record your application**\n\nTwo lines around the client that you have.")
            st.code(
                "import llm_observe\nfrom openai import OpenAI\n\n"
                f'llm_observe.configure(endpoint="{settings().target}")\n'
                "client = llm_observe.wrap(OpenAI())",
                language="python",
                wrap_lines=True,
            )


def show_no_match(view: View, what: str = "calls", *, keys: Sequence[str] = (), last: str = "") -> None:
    """Say that nothing matches the view, with ways to see more.

    ``last`` says when something matched before, if the page knows.
    """
    filters = [(key, value) for key, value in view.filters.items() if not keys or key in keys]
    words = ", ".join(f"{LABELS[key].lower()} = {value}" for key, value in filters)
    with st.container(border=True, horizontal_alignment="center", key="no_match"):
        sentence = f"No {what} match {words} in this window." if words else f"No {what} in this window."
        st.markdown(f"**{literal(sentence)}**", width="content")
        if last:
            st.caption(literal(last), width="content")
        with st.container(horizontal=True, horizontal_alignment="center"):
            if filters:
                st.button(
                    "Clear filters",
                    icon=":material/filter_alt_off:",
                    on_click=show_view,
                    args=(View(view.window),),
                )
            if view.window.preset != "30d":
                st.button(
                    "Look at the last 30 days",
                    icon=":material/date_range:",
                    on_click=show_view,
                    args=(view.during(Window("30d")),),
                )


@contextmanager
def read_with_placeholders(
    page: str, view: Hashable, heights: Sequence[int], *, error: ServerError | None = None
) -> Iterator[Reads]:
    """Read as ``read_together`` does; meanwhile show placeholders of the final sizes, in pixels.

    Only until there is a first answer for the view: later, what is shown stays, and nothing flickers. Nor are
    there any if the answers come soon: to draw them would take the browser longer than to read.
    """
    place = st.empty()
    try:
        with read_together(page, view, error=error) as reads:
            yield reads
            if not has_answers(page, view) and not reads.have_come(_SOON_S):
                with place.container():
                    for height in heights:
                        st.skeleton(height=height)
    finally:
        place.empty()
