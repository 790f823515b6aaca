"""Where an answer comes from: finished hours from Parquet files, the rest from the database; and exports."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import export_service_pb2 as pb

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.access import role_button
from streamlit_app.components.errors import sentence, show_error
from streamlit_app.components.safe_text import literal, small
from streamlit_app.data.connection import DENIED, ServerError
from streamlit_app.data.reports import create_export, last_export
from streamlit_app.roles import may

if TYPE_CHECKING:
    from datetime import datetime

    from streamlit_app.data.reports import Answer
    from streamlit_app.state.window import Window

_HOUR: Final = timedelta(hours=1)
_REQUESTED: Final = "export_requested"
_FAILED: Final = "export_failed"
_POLL_S: Final = 3.0
_RUNNING: Final = frozenset({pb.EXPORT_STATE_QUEUED, pb.EXPORT_STATE_RUNNING})


def show_freshness(answer: Answer, read_time: datetime | None, took_s: float) -> None:
    """Say which part of the window was read from files, and when."""
    read = ""
    if read_time:
        at = fmt.clock_time(read_time, clock.viewer_zone())
        read = f"Read at {at}" + (f" in {fmt.duration(took_s)}" if took_s else "")
    sentence = describe_source(answer.start, answer.end, answer.lake_time)
    st.caption(f":material/database: {literal(sentence)} {small(read)}")


def describe_source(start: datetime, end: datetime, lake_time: datetime | None) -> str:
    """Return which part of a window was read from files, in words."""
    if lake_time is None:
        return "All of this window was read from the database: none of its hours is exported yet."
    hours = max(1, -((start - min(end, lake_time)) // _HOUR))
    total = max(hours, -((start - end) // _HOUR))
    until = fmt.date_time(lake_time, clock.viewer_zone())
    files = f"{fmt.exact(hours)} of {fmt.exact(total)} hours from Parquet files, to {until}"
    return f"{files}; the rest live from the database." if lake_time < end else f"{files}."


def show_not_exported(error: ServerError, window: Window) -> None:
    """Say that files are missing that this window needs; an admin can have them written now."""
    st.info(
        f"**Not exported yet.** {literal(sentence(error))} {small(error.reason)}",
        icon=":material/inventory_2:",
    )
    st.fragment(_show_export, run_every=_POLL_S)(window)


def _show_export(window: Window) -> None:
    if not may("admin"):
        _say_who_may()
        return
    try:
        export = last_export()
    except ServerError as error:
        _say_who_may() if error.reason == DENIED else show_error(error)
        return
    running = export is not None and export.state in _RUNNING
    if export is not None:
        st.caption(literal(describe_export(export, clock.now())))
    if st.session_state.get(_REQUESTED) and not running:
        st.session_state.pop(_REQUESTED)
        st.rerun()  # the question is asked again
    failed = st.session_state.pop(_FAILED, None)
    if failed:
        show_error(failed, retry=False)
    role_button(
        "Export running…" if running else "Export now",
        "admin",
        icon=":material/inventory_2:",
        kind="primary",
        disabled=running,
        key="export_now",
        on_click=partial(_export, window),
    )


def _say_who_may() -> None:
    st.caption("Files are written every hour. Who has the role admin can have it done now.")


def describe_export(export: pb.Export, now: datetime) -> str:
    """Return what became of an export, in words."""
    when = fmt.ago(fmt.timestamp(export.create_time), now)
    state = pb.ExportState.Name(export.state).removeprefix("EXPORT_STATE_").lower()
    written = f"{fmt.exact(len(export.files))} files, {fmt.exact(export.row_count)} logs"
    files = f"{written}, {fmt.size(export.size_bytes)}"
    problem = f": {export.error_message}" if export.error_message else ""
    return f"Last export {when}, {state}: {files}{problem}"


def _export(window: Window) -> None:
    now = clock.now()
    try:
        create_export(window.bounds(now).to_time_range(now))
        st.session_state[_REQUESTED] = True
    except ServerError as error:
        if error.reason == "EXPORT_ALREADY_RUNNING":
            st.session_state[_REQUESTED] = True
        else:
            st.session_state[_FAILED] = error
