"""Login by OpenID Connect, through Streamlit's own support; off unless the setting says so."""

from __future__ import annotations

from importlib.util import find_spec

import streamlit as st


def require_login() -> None:
    """Show nothing to a visitor who has not logged in with the provider of ``.streamlit/secrets.toml``."""
    if find_spec("authlib") is None:
        st.error(
            "Login is switched on and needs the package Authlib: `pip install Authlib`, then start again."
        )
        st.stop()
    if not _has_provider():
        st.error("Login is switched on and `.streamlit/secrets.toml` has no `[auth]` section.")
        st.stop()
    if not st.user.is_logged_in:
        st.title("LLM Observe")
        st.button("Log in", on_click=st.login, type="primary")
        st.stop()
    with st.sidebar:
        st.caption(str(st.user.get("email") or st.user.get("name") or "logged in"))
        st.button("Log out", on_click=st.logout)


def _has_provider() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:  # Streamlit's own, where there is no secrets.toml at all
        return False
