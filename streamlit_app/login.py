"""OpenID Connect login with Streamlit's built-in support; off by default."""

from __future__ import annotations

from importlib.util import find_spec

import streamlit as st

from streamlit_app.components.safe_text import literal


def require_login() -> None:
    """Stop the page unless the visitor has logged in with the provider in ``.streamlit/secrets.toml``."""
    if find_spec("authlib") is None:
        st.error("Login is enabled but Authlib is not installed: run `pip install Authlib` and restart.")
        st.stop()
    if not _has_provider():
        st.error("Login is enabled but not configured: add an `[auth]` section to `.streamlit/secrets.toml`.")
        st.stop()
    if not st.user.is_logged_in:
        st.title("LLM Observe")
        st.button("Log in", on_click=st.login, type="primary")
        st.stop()
    with st.sidebar:
        st.caption(literal(str(st.user.get("email") or st.user.get("name") or "logged in")))
        st.button("Log out", on_click=st.logout)


def _has_provider() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:  # Streamlit's own, if there is no secrets.toml
        return False
