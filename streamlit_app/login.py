"""OpenID Connect login with Streamlit's built-in support; off by default."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import streamlit as st

from streamlit_app.components.safe_text import literal
from streamlit_app.data.connection import settings

_CHECK_S: Final = 60.0
"""How often a page that is left open looks whether its session has ended, in seconds."""


def require_login() -> None:
    """Stop the page unless the visitor has signed in lately and may use the app."""
    if not _has_provider():
        st.error(
            "Login is enabled but not configured: add an `[auth]` section to `.streamlit/secrets.toml`, "
            "as docs/security.md shows, and restart."
        )
        st.stop()
    if not st.user.is_logged_in:
        _stop_at_sign_in("Sign in to see the calls of this project.")
    if _session_is_over():
        _stop_at_sign_in(f"Your session of {_user_name()} has ended. Sign in again to go on.")
    if signed_in_roles() == frozenset():
        _stop_at_refusal()


def show_user() -> None:
    """Show at the foot of the sidebar who has signed in, and the way out."""
    with st.sidebar, st.container(horizontal=True, vertical_alignment="center", key="user"):
        st.caption(f":material/person: {literal(_user_name())}", width="stretch")
        st.button("Sign out", on_click=st.logout, key="sign_out", type="tertiary")
    st.fragment(_watch_session, run_every=_CHECK_S, key="session")()


def signed_in_roles() -> frozenset[str] | None:
    """Return the roles of the visitor: none for one who may not use the app; None means the key's."""
    email = st.user.get("email")
    # Of an address that the provider has not verified, anybody could say that it is theirs.
    verified = str(email) if email and st.user.get("email_verified") is not False else ""
    return settings().roles_of(verified)


def is_over(issued_s: float, now_s: float, session_s: float) -> bool:
    """Return whether a session has ended that began when its ID token was issued, in Unix seconds."""
    return now_s - issued_s > session_s


def _session_is_over() -> bool:
    # A token says when it was issued; Streamlit's cookie of it is good for 30 days.
    issued = st.user.get("iat")
    return not isinstance(issued, int | float) or is_over(
        issued, datetime.now(UTC).timestamp(), settings().session_s
    )


def _watch_session() -> None:
    """Show the way in when the session ends while the page is open."""
    if _session_is_over():
        st.rerun(scope="app")


def _user_name() -> str:
    return str(st.user.get("email") or st.user.get("name") or st.user.get("sub") or "somebody without a name")


def _stop_at_sign_in(words: str) -> None:
    st.title("LLM Observe", anchor=False)
    st.write(literal(words))
    st.button("Sign in", on_click=st.login, type="primary", key="sign_in")
    st.caption(
        "Back here without being signed in? The provider refused, or took longer than it may: try again, or "
        "ask whoever runs LLM Observe to look into the log of the app."
    )
    st.stop()


def _stop_at_refusal() -> None:
    st.title("LLM Observe", anchor=False)
    st.error(
        f"You are signed in as {literal(_user_name())}, who may not use this app. Ask whoever runs LLM "
        "Observe to add you to LLM_OBSERVE_UI_USERS, or sign out and take another account.",
        icon=":material/block:",
    )
    st.button("Sign out", on_click=st.logout, type="primary", key="sign_out")
    st.stop()


def _has_provider() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:  # Streamlit's own, if there is no secrets.toml
        return False
