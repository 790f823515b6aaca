"""Router of the app: run with ``streamlit run``."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from streamlit_app.components.access import may_open
from streamlit_app.components.errors import unexpected_errors
from streamlit_app.components.sidebar import show_server_line, show_sidebar
from streamlit_app.data.connection import settings
from streamlit_app.login import require_login, show_user
from streamlit_app.pages import ENTRIES, register
from streamlit_app.state.view import current_view, last_view

_FOLDER = Path(__file__).parent

# Our own icon, before any page is known: Streamlit would load the page's icon from another origin.
st.set_page_config(page_icon=_FOLDER / "icon.svg", layout="wide")
page = register()
# A link to the page that is open leaves its address as it was, unless the address is said again.
st.query_params.update({key: st.query_params.get_all(key) for key in st.query_params})
st.set_page_config(page_title=f"{page.title} · LLM Observe")
st.html(_FOLDER / "style.css")
if settings().login:
    require_login()
entry = next(entry for entry in ENTRIES if entry.title == page.title)
has_view = entry.has_view and not any(name in st.query_params for name in entry.details)
show_sidebar(current_view() if has_view else last_view())
with unexpected_errors():
    if may_open(entry):
        page.run()
show_server_line()
if settings().login:
    show_user()
