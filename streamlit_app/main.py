"""Router of the dashboard: run with ``streamlit run``."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from streamlit_app.client import settings
from streamlit_app.login import require_login
from streamlit_app.views import chat, dashboard

# Our own file: Streamlit would load its icons for the browser tab from another origin.
st.set_page_config(page_title="LLM Observe", page_icon=Path(__file__).with_name("icon.svg"), layout="wide")
if settings().login:
    require_login()
pages = [
    st.Page(
        dashboard.render, title="Dashboard", icon=":material/monitoring:", url_path="dashboard", default=True
    ),
    st.Page(chat.render, title="Chat", icon=":material/forum:", url_path="chat"),
]
st.navigation({"LLM Observe": pages}).run()
