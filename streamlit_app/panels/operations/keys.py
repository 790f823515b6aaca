"""API keys: listed, made, shown once, revoked."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import admin_service_pb2 as pb

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.access import role_button
from streamlit_app.components.dialogs import close_dialog, forget_dialog, open_dialog
from streamlit_app.components.errors import show_error
from streamlit_app.components.safe_text import literal
from streamlit_app.data.connection import ServerError
from streamlit_app.data.operations import create_api_key, revoke_api_key
from streamlit_app.panels.operations.common import optional_time, show_rows, time_column

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_ROLES: Final = {
    "ingest": (pb.API_KEY_ROLE_INGEST, "send logs"),
    "read": (pb.API_KEY_ROLE_READ, "read numbers, logs and conversations"),
    "chat": (pb.API_KEY_ROLE_CHAT, "chat, and keep conversations"),
    "admin": (pb.API_KEY_ROLE_ADMIN, "everything in the project"),
}
_NAMES: Final = {number: name for name, (number, _) in _ROLES.items()}
_LIFETIMES: Final = {"30 days": 30, "90 days": 90, "a year": 365, "no end": None}
_MAX_NAME: Final = 100


def show_new_key_button(project_id: str) -> None:
    """Show the button that opens the form."""
    if role_button("New key", "admin", icon=":material/add:", key="new_key"):
        open_dialog(partial(_show_form, project_id))


def show_keys(keys: Sequence[pb.ApiKey], now: datetime) -> None:
    """Show the keys; a click on one offers to revoke it."""
    rows = [
        {
            "Name": key.display_name or fmt.NOTHING,
            "Begins with": key.prefix,
            "Roles": ", ".join(_NAMES.get(role, "unknown") for role in key.roles),
            "State": state_of(key, now),
            "Made": optional_time(key.create_time),
            "Last used": optional_time(key.last_use_time),
            "Expires": optional_time(key.expire_time),
        }
        for key in keys
    ]
    column = st.column_config
    row = show_rows(
        rows,
        {
            "Name": column.TextColumn(width=180),
            "Begins with": column.TextColumn(width=130),
            "Roles": column.TextColumn(width=170),
            "State": column.TextColumn(width=100),
            **{name: time_column(name) for name in ("Made", "Last used", "Expires")},
        },
        key="keys",
        alt="API keys",
    )
    if row is not None:
        open_dialog(partial(_show_key, keys[row]))


def state_of(key: pb.ApiKey, now: datetime) -> str:
    """Return whether a key works, in one word."""
    if key.HasField("revoke_time"):
        return "revoked"
    if key.HasField("expire_time") and fmt.timestamp(key.expire_time) <= now:
        return "expired"
    return "works"


@st.dialog("New API key", on_dismiss=forget_dialog)
def _show_form(project_id: str) -> None:
    place = st.empty()
    with place.form("key_form", border=False):
        name = st.text_input("Name", max_chars=_MAX_NAME, placeholder="billing-service, production")
        roles = st.pills(
            "Roles",
            list(_ROLES),
            selection_mode="multi",
            default=["ingest"],
            help=literal("; ".join(f"{role}: {words}" for role, (_, words) in _ROLES.items())),
        )
        lifetime = st.selectbox("Works for", list(_LIFETIMES), index=1)
        submitted = st.form_submit_button("Make the key", type="primary")
    if not submitted:
        return
    if not name.strip() or not roles:
        st.error("A key needs a name and at least one role.")
        return
    days = _LIFETIMES[lifetime]
    expires = clock.now() + timedelta(days=days) if days else None
    try:
        secret = create_api_key(project_id, name.strip(), [_ROLES[role][0] for role in roles], expires)
    except ServerError as error:
        show_error(error, retry=False)
        return
    with place.container():
        _show_secret(secret)


def _show_secret(secret: str) -> None:
    """Show the secret. It is kept nowhere: the next run of the dialog has it no longer."""
    st.markdown("**Copy the key now: it cannot be shown again.** Only its hash is stored.")
    st.code(secret, language=None, wrap_lines=True)
    # A callback, as the next run shows the form, and no such button.
    st.button("Done", type="primary", key="key_done", on_click=close_dialog)


@st.dialog("API key", on_dismiss=forget_dialog)
def _show_key(key: pb.ApiKey) -> None:
    zone = clock.viewer_zone()
    state = state_of(key, clock.now())
    st.markdown(f"**{literal(key.display_name or key.prefix)}** · {literal(state)}")
    used = (
        fmt.ago(fmt.timestamp(key.last_use_time), clock.now()) if key.HasField("last_use_time") else "never"
    )
    made = fmt.date_time(fmt.timestamp(key.create_time), zone)
    st.caption(f"Begins with {literal(key.prefix)} · made {literal(made)} · last used {literal(used)}")
    if state == "revoked":
        return
    st.markdown("Within 5 seconds after it is revoked, no server accepts the key. **This cannot be undone.**")
    with st.container(horizontal=True, gap="small"):
        if st.button("Cancel", key="dialog_cancel"):
            close_dialog()
        confirmed = role_button(
            "Revoke", "admin", icon=":material/block:", kind="primary", key="dialog_confirm"
        )
    if not confirmed:
        return
    try:
        revoke_api_key(key.api_key_id)
    except ServerError as error:
        show_error(error, retry=False)
        return
    close_dialog(f"Key {key.display_name or key.prefix} revoked")
