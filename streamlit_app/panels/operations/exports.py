"""Exports to Parquet, and what else is done with stored logs: rollups and retention."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import export_service_pb2 as pb

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.access import role_button
from streamlit_app.components.dialogs import close_dialog, forget_dialog, open_dialog
from streamlit_app.components.errors import show_error
from streamlit_app.components.safe_text import literal, small
from streamlit_app.data.connection import ServerError
from streamlit_app.data.operations import cancel_export, create_export
from streamlit_app.panels.operations.common import optional_time, show_rows, time_column
from streamlit_app.panels.operations.queue import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.filter_pb2 import TimeRange
    from llm_observe.v1.health_service_pb2 import CheckResponse

_STATES: Final = {
    pb.EXPORT_STATE_QUEUED: "queued",
    pb.EXPORT_STATE_RUNNING: "running",
    pb.EXPORT_STATE_SUCCEEDED: "succeeded",
    pb.EXPORT_STATE_FAILED: "failed",
    pb.EXPORT_STATE_CANCELLED: "cancelled",
}
_UNFINISHED: Final = frozenset({pb.EXPORT_STATE_QUEUED, pb.EXPORT_STATE_RUNNING})


def show_new_export_button(time_range: TimeRange) -> None:
    """Show the button that opens the form, for the page's window."""
    if role_button("Export now", "admin", icon=":material/upload_file:", key="new_export"):
        open_dialog(partial(_show_form, time_range, str(uuid.uuid4())))


def show_exports(exports: Sequence[pb.Export]) -> None:
    """Show the latest exports; a click on one shows its files."""
    if not exports:
        st.caption(
            "No export yet. Each hour, finished hours are written to Parquet where `LLM_OBSERVE_LAKE_URL` "
            "names a folder or a bucket."
        )
        return
    zone = clock.viewer_zone()
    rows = [
        {
            "State": _STATES.get(export.state, "unknown"),
            "Window": fmt.time_range(
                fmt.timestamp(export.time_range.start_time), fmt.timestamp(export.time_range.end_time), zone
            ),
            "Rows": export.row_count,
            "Files": len(export.files),
            "Size": size(export.size_bytes),
            "Requested": optional_time(export.create_time),
            "Ended": optional_time(export.finish_time),
            "What happened": export.error_message or export.error_reason,
        }
        for export in exports
    ]
    column = st.column_config
    row = show_rows(
        rows,
        {
            "State": column.TextColumn(width=90),
            "Window": column.TextColumn(width=210),
            "Rows": column.NumberColumn(format="localized", width=90),
            "Files": column.NumberColumn(format="localized", width=60),
            "Size": column.TextColumn(width=90),
            "Requested": time_column("Requested"),
            "Ended": time_column("Ended"),
            "What happened": column.TextColumn(width="large"),
        },
        key="exports",
        alt="The latest exports",
    )
    if row is not None:
        open_dialog(partial(_show_export, exports[row]))


@st.dialog("Export to Parquet", on_dismiss=forget_dialog)
def _show_form(time_range: TimeRange, request_id: str) -> None:
    zone = clock.viewer_zone()
    start, end = fmt.timestamp(time_range.start_time), fmt.timestamp(time_range.end_time)
    st.markdown(
        f"The finished hours of **{literal(fmt.time_range(start, end, zone))}** that are not in the lake "
        "yet are written. Choose another window at the top of the page."
    )
    verify = st.toggle("Read the files that are there and compare their checksums", key="verify_files")
    if not st.button("Export", type="primary", key="dialog_confirm"):
        return
    try:
        create_export(time_range, request_id, verify=verify)
    except ServerError as error:
        show_error(error, retry=False)
        return
    close_dialog("Export queued")


@st.dialog("Export", width=640, on_dismiss=forget_dialog)
def _show_export(export: pb.Export) -> None:
    st.markdown(f"**{literal(_STATES.get(export.state, 'unknown'))}** {small(export.error_reason)}")
    if export.error_message:
        st.text(export.error_message)
    if export.HasField("file_check"):
        check = export.file_check
        st.caption(
            f"Files read: {literal(fmt.exact(check.intact_count))} intact, "
            f"{literal(fmt.exact(check.lost_count))} lost, {literal(fmt.exact(check.damaged_count))} damaged"
        )
    if export.files:
        st.dataframe([{"File": name} for name in export.files], hide_index=True, row_height=28)
    if export.state in _UNFINISHED and role_button(
        "Cancel the export", "admin", icon=":material/block:", kind="primary", key="dialog_confirm"
    ):
        try:
            cancel_export(export.export_id)
        except ServerError as error:
            show_error(error, retry=False)
            return
        close_dialog("Export cancelled")


def show_storage(health: CheckResponse) -> None:
    """Show the state of the rollups, and how to check them and retention."""
    if not health.HasField("rollups"):
        st.caption("Postgres does not answer, so the state of the rollups is unknown.")
        return
    rollups = health.rollups
    left, right = st.columns(2)
    with left:
        st.markdown("**Rollups**")
        lag = fmt.duration(fmt.seconds(rollups.merge_lag)) if rollups.HasField("merge_lag") else ""
        st.markdown(
            f"The oldest numbers that are not merged are {literal(lag)} old. Answers count them."
            if lag
            else "All numbers are merged."
        )
        if rollups.overflow_hour_count:
            st.markdown(
                f":orange[:material/warning:] In {literal(fmt.exact(rollups.overflow_hour_count))} of the "
                "last 24 hours a project opened more groups than it may: the rest is counted as other."
            )
        st.caption("Compares every number with the logs it came from, where the database is:")
        st.code("llm-observe rollups verify", language="bash")
    with right:
        st.markdown("**Retention**")
        st.markdown(
            "Each hour, whole days older than `LLM_OBSERVE_RETENTION_DAYS` are dropped from Postgres. Where "
            "there is a lake, they wait until their hours are in it. Rollups and files stay."
        )
        st.caption("Reads every file of the lake and compares its checksum:")
        st.code("llm-observe export --verify", language="bash")
