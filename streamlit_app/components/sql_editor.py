"""An editor of SQL with the tables beside it. See sql_editor.js."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.report_service_pb2 import Table

_FOLDER: Final = Path(__file__).parent
_COMPONENT: Final = st.components.v2.component(
    "llm_observe.sql_editor",
    css=(_FOLDER / "sql_editor.css").read_text(),
    js=(_FOLDER / "sql_editor.js").read_text(),
)


def show_sql_editor(
    text: str, tables: Sequence[Table], *, version: int, wrong_line: int, max_chars: int, key: str
) -> str:
    """Show the editor; return the statement if somebody has just asked for it to be run, else nothing.

    The editor keeps what is typed. ``version`` replaces it by ``text`` when it changes. ``wrong_line`` is
    marked until it is edited; 0 for none.
    """
    data = {
        "text": text,
        "version": version,
        "wrong_line": wrong_line,
        "max_chars": max_chars,
        "tables": [
            {
                "name": table.name,
                "description": table.description,
                "columns": [
                    {"name": column.name, "type": _short(column.type), "description": column.description}
                    for column in table.columns
                ],
            }
            for table in tables
        ],
    }
    state = _COMPONENT(data=data, key=key, on_run_change=lambda: None)
    return str(state.get("run") or "")


def _short(kind: str) -> str:
    return kind.lower().replace("timestamp with time zone", "timestamptz")
