"""The rows of an answer: a table that sorts, links to logs, and files to take away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from analytics.result_files import to_csv, to_parquet
from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.links import page_url
from streamlit_app.components.safe_text import literal
from streamlit_app.pages import registered

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.elements.lib.column_types import ColumnConfig

    from streamlit_app.results.columns import Column, Result

_MAX_HEIGHT: Final = 480
_ROW_PX: Final = 32
_FORMATS: Final = {"ms": "%,.0f ms", "s": "%,.0f s", "share": fmt.PERCENT_COLUMN, "change": "%+.1f %%"}
_LARGE_USD: Final = 1.0
_SHORT_COLUMN: Final = 110


def show_table(result: Result, key: str) -> tuple[int, Column] | None:
    """Show the table; return the row and the column that were clicked on."""
    frame = result.frame.copy(deep=False)
    config = {column.title: _config(column, frame[column.title]) for column in result.columns}
    for column in result.columns:
        if column.is_log_id and "logs" in registered():
            frame[column.title] = [
                page_url("logs", log=str(value)) if value else None for value in frame[column.title]
            ]
        elif column.unit in {"share", "change"}:
            frame[column.title] = frame[column.title] * 100
    shown = st.dataframe(
        frame,
        hide_index=True,
        row_height=_ROW_PX,
        height=min(_MAX_HEIGHT, _ROW_PX * (len(frame) + 1) + 6),
        placeholder=fmt.NOTHING,
        column_config=config,
        on_select="rerun",
        selection_mode="single-cell",
        key=key,
        alt=f"{len(frame)} rows, {len(result.columns)} columns",
    )
    cells = shown.selection.cells
    if not cells or cells[0][0] >= len(frame):
        return None
    return cells[0][0], next(column for column in result.columns if column.title == cells[0][1])


def _config(column: Column, values: pd.Series[object]) -> ColumnConfig:
    config, hint = st.column_config, literal(column.help) or None
    made = config.TextColumn(help=hint, width="large" if column.name in _WIDE else None)
    if column.is_log_id and "logs" in registered():
        made = config.LinkColumn(help=hint, display_text="Open log", width=_SHORT_COLUMN)
    elif column.kind == "number":
        made = config.NumberColumn(help=hint, format=_number_format(column, values))
    elif column.kind == "time":
        zone = str(clock.viewer_zone())
        made = config.DatetimeColumn(help=hint, timezone=zone, format="D MMM YYYY, HH:mm:ss")
    elif column.kind == "date":
        made = config.DateColumn(help=hint, format="D MMM YYYY")
    elif column.kind == "truth":
        made = config.CheckboxColumn(help=hint)
    return made


def _number_format(column: Column, values: pd.Series[object]) -> str:
    if column.unit == "usd":
        return "$%,.2f" if (values.abs() >= _LARGE_USD).any() else "$%,.6f"
    return _FORMATS.get(column.unit, "%d" if column.is_ordinal else "localized")


_WIDE: Final = frozenset({"template", "input_preview", "output_preview", "error_message"})


def download_buttons(row: DeltaGenerator, table: pa.Table, name: str) -> None:
    """Show buttons that make files of all rows; they are made when one is clicked on."""
    for label, kind, mime, make in (
        ("CSV", "csv", "text/csv", to_csv),
        ("Parquet", "parquet", "application/vnd.apache.parquet", to_parquet),
    ):
        row.download_button(
            literal(label),
            data=lambda make=make: make(table),  # type: ignore[misc] # a default binds it now
            file_name=f"{name}.{kind}",
            mime=mime,
            icon=":material/download:",
            on_click="ignore",
            key=f"download_{kind}",
        )
