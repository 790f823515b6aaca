"""What a visitor may do: what the app's key may, and, where people sign in, what is said of them.

The server checks the key at every call; this keeps pages from offering what would be refused.

    st.button("Replay", disabled=not may("admin"), help=why_not("admin"))
"""

from __future__ import annotations

from typing import Final

from streamlit_app.data.caller import known_caller
from streamlit_app.data.connection import settings
from streamlit_app.login import signed_in_roles

_ADMIN: Final = "admin"


def may(*roles: str) -> bool:
    """Return whether the visitor has one of the roles; admin has them all. True while that is not known."""
    return _has(_key_roles(), roles) and _has(_user_roles(), roles)


def why_not(*roles: str) -> str | None:
    """Return what is missing, as the help of a disabled button; None if nothing is."""
    words = " or ".join(roles)
    if not _has(_key_roles(), roles):
        return (
            f"This needs the role {words}, which the app's API key does not have: set LLM_OBSERVE_UI_API_KEY "
            f"to a key made by `llm-observe keys create --role {roles[0]}` and its other roles, and restart."
        )
    if not _has(_user_roles(), roles):
        return (
            f"This needs the role {words}: whoever runs LLM Observe gives it to you in LLM_OBSERVE_UI_USERS."
        )
    return None


def _key_roles() -> frozenset[str] | None:
    caller = known_caller()
    return caller.roles if caller else None


def _user_roles() -> frozenset[str] | None:
    return signed_in_roles() if settings().login else None


def _has(held: frozenset[str] | None, roles: tuple[str, ...]) -> bool:
    """Return whether one of the roles is held; None means that all are."""
    return held is None or _ADMIN in held or not held.isdisjoint(roles)
