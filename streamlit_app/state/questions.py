"""What Analytics asks: a report with its parameters, or SQL; read from the URL, and written to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_observe.v1.report_service_pb2 import Report

    from streamlit_app.state.window import Window

MAX_URL_CHARS: Final = 2_000
"""Longer statements are kept in the session alone: browsers and mails cut longer addresses."""
REPORT: Final = "report"
SQL: Final = "sql"
TAB: Final = "tab"
_OF_RESULT: Final = ("chart", "y")
_PREFIX: Final = "set-"
_LONG: Final = "long_sql"


@dataclass(frozen=True, slots=True)
class Question:
    """A report, or SQL, about a window."""

    window: Window
    report: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    """Values that are not the default, by name."""
    sql: str = ""


def report_in_url() -> str:
    """Return the name of the report that is open; empty for the list of all."""
    return st.query_params.get(REPORT, "")


def parameters_in_url(report: Report) -> dict[str, str]:
    """Return the values of a report's parameters."""
    return {
        each.name: st.query_params.get(f"{_PREFIX}{each.name}", each.default_value)
        for each in report.parameters
    }


def to_question(report: Report, window: Window) -> Question:
    """Return the question that the URL asks of a report."""
    values = parameters_in_url(report)
    changed = [
        (each.name, values[each.name])
        for each in report.parameters
        if values[each.name] != each.default_value
    ]
    return Question(window, report.name, tuple(changed))


def set_parameter(name: str, value: str, default: str) -> None:
    """Write the value of a parameter to the URL. Call it in a callback."""
    if value == default:
        st.query_params.pop(f"{_PREFIX}{name}", None)
    else:
        st.query_params[f"{_PREFIX}{name}"] = value


def sql_in_url() -> str:
    """Return the statement to run: of the URL or, if it is too long for one, of the session."""
    return st.query_params.get(SQL, "") or str(st.session_state.get(_LONG, ""))


def is_in_url(sql: str) -> bool:
    """Return whether a link carries the statement."""
    return len(sql) <= MAX_URL_CHARS


def run_sql(sql: str) -> None:
    """Make a statement the one to run. Call it in a callback."""
    forget_result_settings()
    st.query_params[TAB] = SQL
    st.query_params.pop(REPORT, None)
    st.query_params.pop(SQL, None)
    st.session_state.pop(_LONG, None)
    if is_in_url(sql):
        st.query_params[SQL] = sql
    else:
        st.session_state[_LONG] = sql


def forget_result_settings() -> None:
    """Forget how a result was drawn, and the parameters of a report."""
    for key in [key for key in st.query_params if key in _OF_RESULT or key.startswith(_PREFIX)]:
        st.query_params.pop(key)


def link_parameters(keys: Iterable[str]) -> Mapping[str, str]:
    """Return what a link to the page carries beside the window."""
    kept = {TAB, REPORT, SQL, *_OF_RESULT}
    return {key: st.query_params[key] for key in keys if key in kept or key.startswith(_PREFIX)}
