"""Analytics: answers a question that nobody built a panel for, by a report or by SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app.components.choices import chosen_in_url, show_choice
from streamlit_app.components.empty import read_with_placeholders
from streamlit_app.components.errors import show_connection_state, show_error
from streamlit_app.components.header import REFRESH, page_header
from streamlit_app.components.links import open_page, page_link
from streamlit_app.components.safe_text import literal
from streamlit_app.data import reports as data
from streamlit_app.data.connection import DENIED
from streamlit_app.pages import registered
from streamlit_app.panels.report_form import show_parameters, title_of
from streamlit_app.panels.report_gallery import icon_of, show_gallery
from streamlit_app.panels.result import show_outcome
from streamlit_app.panels.sql_box import note_question, show_sql_box
from streamlit_app.results.report_sql import report_sql
from streamlit_app.state import questions
from streamlit_app.state.answers import Outcome, ask, kept_outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_observe.v1.report_service_pb2 import Report

    from streamlit_app.components.header import Header
    from streamlit_app.data.reads import Read
    from streamlit_app.panels.result import Pick
    from streamlit_app.state.questions import Question
    from streamlit_app.state.view import View

_TABS: Final = {"reports": "Reports", "sql": "SQL"}
_GALLERY: Final = (180, 180, 180)
_RESULT: Final = (320, 260)
_FILTERS: Final = {
    "provider": "provider", "model": "model", "operation": "op", "environment": "env", "outcome": "outcome",
    "error_code": "code", "release": "release", "user": "user", "session": "session",
    "conversation": "conversation", "user_id": "user", "session_id": "session",
}  # fmt: skip
"""Filters of logs by dimension, and by name of a column."""


def render() -> None:
    """Show the page. It asks when something changes, and not again by itself: an answer may take a while."""
    header = page_header(
        "Analytics",
        "analytics",
        filter_keys=(),
        refreshes=False,
        link=questions.link_parameters(st.query_params),
    )
    place = st.container(horizontal=True, vertical_alignment="center", key="analytics_tabs")
    tab = chosen_in_url(questions.TAB, _TABS, "reports")
    show_choice(place, "Reports or SQL", questions.TAB, _TABS, "reports")
    if tab == "sql":
        _show_sql(header)
    else:
        _show_reports(header)


def _show_reports(header: Header) -> None:
    with read_with_placeholders("analytics", "reports", _GALLERY) as reads:
        read = reads.start("reports", data.list_reports)
    if not show_connection_state(reads) or not _is_read(read):
        return
    found = read.value or {}
    name = questions.report_in_url()
    if name in found:
        _show_report(found[name], header, is_away=read.error is not None)
        return
    if name:
        st.warning(f"There is no report {literal(name)}. These are there:", icon=":material/search_off:")
    show_gallery(found, header.view)


def _is_read(read: Read[object]) -> bool:
    """Tell of an error. Return whether there is a value."""
    if read.value is None and read.error:
        show_error(read.error, retry=read.error.reason != DENIED)
    return read.value is not None


def _show_report(report: Report, header: Header, *, is_away: bool) -> None:
    with st.container(key="report_back"):
        page_link("All reports", "analytics", header.view, icon=":material/arrow_back:")
    values = questions.parameters_in_url(report)
    dimension = values.get("dimension", "")
    with st.container(horizontal=True, vertical_alignment="center", key="report_head"):
        st.header(f":material/{icon_of(report.name)}: {literal(report.title)}", anchor=False, width="content")
        st.space("stretch")
        _sql_button(report, values, header.view)
    st.markdown(literal(report.description))
    show_parameters(report, values)
    question = questions.to_question(report, header.view.window)
    outcome = answer_of(question, is_away=is_away)
    header.show_updated(outcome.read_time)
    picked = show_outcome(question, outcome, value_title=title_of(dimension), name=report.name)
    _open_logs(picked, dimension, header.view)


def _sql_button(report: Report, values: Mapping[str, str], view: View) -> None:
    now = clock.now()
    bounds = view.window.bounds(now)
    sql = report_sql(report.name, values, bounds.start, min(bounds.end, now))
    if sql:
        st.button(
            "Open as SQL",
            icon=":material/code:",
            help="The report's statement with these values, to be changed",
            on_click=questions.run_sql,
            args=(sql,),
        )


def answer_of(question: Question, *, is_away: bool) -> Outcome:
    """Return what becomes of a question; of a server that is away, what is known already."""
    if is_away:
        return kept_outcome(question) or Outcome()
    return ask(question, _RESULT, anew=bool(st.session_state.get(REFRESH)))


def _open_logs(picked: Pick | None, dimension: str, view: View) -> None:
    """Leave for the logs of what was clicked on, if logs can be filtered by it."""
    if picked is None or "logs" not in registered():
        return
    column, value = picked
    key = _FILTERS.get(dimension if column.name == "value" else column.name)
    if key and isinstance(value, str) and value:
        open_page("logs", view.filtered(key, value))


def _show_sql(header: Header) -> None:
    with read_with_placeholders("analytics", "tables", (300,)) as reads:
        read = reads.start("tables", data.describe_tables)
    if not show_connection_state(reads) or not _is_read(read):
        return
    sql = questions.sql_in_url()
    question = questions.Question(header.view.window, sql=sql) if sql else None
    before = kept_outcome(question) if question else None
    show_sql_box(read.value or [], sql, before.error if before else None)
    if question is None:
        return
    outcome = answer_of(question, is_away=read.error is not None)
    if outcome is not before and outcome.is_final and not outcome.is_cancelled and read.error is None:
        note_question(sql, outcome)
        st.rerun()  # the editor above marks what is wrong, and lists the statement
    header.show_updated(outcome.read_time)
    show_outcome(question, outcome, name="query")
