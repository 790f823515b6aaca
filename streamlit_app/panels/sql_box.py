"""The editor of SQL with examples, what was asked before in this session, and the limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import streamlit as st

from analytics.sandbox.query import MEBIBYTE, USER_LIMITS
from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.safe_text import literal
from streamlit_app.components.sql_editor import show_sql_editor
from streamlit_app.state.questions import is_in_url, run_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from llm_observe.v1.report_service_pb2 import Table

    from streamlit_app.data.connection import ServerError
    from streamlit_app.state.answers import Outcome

MAX_CHARS: Final = 20_000
_DRAFT: Final = "sql_draft"
_HISTORY: Final = "sql_history"
_MAX_HISTORY: Final = 20
_LINE: Final = re.compile(r"^LINE (\d+):", re.MULTILINE)
_NAMED: Final = re.compile(r"\b(?:column|table|name|alias|type) \"?([A-Za-z_]\w*)", re.IGNORECASE)
_SUMMARY_CHARS: Final = 60
EXAMPLES: Final = {
    "Calls and cost by model": (
        "SELECT provider, model, count(*) AS calls, sum(cost_nano_usd) / 1e9 AS usd\n"
        "FROM logs\nGROUP BY ALL\nORDER BY usd DESC NULLS LAST"
    ),
    "Calls an hour, by outcome": (
        "SELECT date_trunc('hour', start_time) AS hour, outcome, count(*) AS calls\n"
        "FROM logs\nGROUP BY ALL\nORDER BY hour"
    ),
    "Slowest tenth by model": (
        "SELECT model, quantile_cont(latency_us, 0.9) / 1000 AS p90_ms, count(*) AS calls\n"
        "FROM logs\nWHERE outcome = 'success'\nGROUP BY model\nHAVING calls >= 20\nORDER BY p90_ms DESC"
    ),
    "Errors and what they say": (
        "SELECT provider, error_code, any_value(error_message) AS example, count(*) AS calls\n"
        "FROM logs\nWHERE outcome = 'error'\nGROUP BY ALL\nORDER BY calls DESC"
    ),
    "Users with more than one session": (
        "SELECT user_id, count(DISTINCT session_id) AS sessions, count(*) AS calls\n"
        "FROM logs\nWHERE user_id <> ''\nGROUP BY user_id\nHAVING sessions > 1\nORDER BY sessions DESC"
    ),
    "Longest answers": (
        "SELECT log_id, start_time, model, output_token_count, output_preview\n"
        "FROM logs\nORDER BY output_token_count DESC NULLS LAST\nLIMIT 50"
    ),
}
"""Statements to begin with, by what they answer. A test runs them."""


class Asked(NamedTuple):
    """A statement that was run in this session."""

    sql: str
    time: datetime
    summary: str


class _Draft(NamedTuple):
    """What the editor is to show. Of a new ``version`` it replaces what somebody typed."""

    version: int
    text: str
    run: str
    """The statement that was run when it was made."""


def show_sql_box(tables: Sequence[Table], sql: str, error: ServerError | None) -> None:
    """Show the editor. ``sql`` is the statement that is run, ``error`` what came of it."""
    draft = _draft(sql)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="sql_head"):
        st.caption(literal(LIMITS), width="stretch")
        _show_examples()
        _show_history()
    asked = show_sql_editor(
        draft.text,
        tables,
        version=draft.version,
        wrong_line=wrong_line(error, sql) if error else 0,
        max_chars=MAX_CHARS,
        key="sql_editor",
    )
    if sql and not is_in_url(sql):
        st.caption(":material/link_off: Too long for a link: this statement is kept in this session alone.")
    if asked:
        st.session_state[_DRAFT] = _Draft(draft.version, asked, asked)
        run_sql(asked)
        st.rerun()


LIMITS: Final = (
    "One SELECT in DuckDB's SQL over the calls of this window. At most "
    f"{USER_LIMITS.rows:,} rows, {USER_LIMITS.bytes // MEBIBYTE} MB and {USER_LIMITS.time_s:g} s."
)


def wrong_line(error: ServerError, sql: str) -> int:
    """Return the line of a statement that an error is about; 0 where that is not known.

    Errors of the parser name the line. Others name what does not exist: its first line is meant.
    """
    found = _LINE.search(error.message)
    if found:
        return int(found[1])
    named = _NAMED.search(error.message.partition("\n")[0])
    if error.reason != "SQL_FAILED" or not named:
        return 0
    word = re.compile(rf"\b{re.escape(named[1])}\b", re.IGNORECASE)
    lines = enumerate(sql.split("\n"), 1)
    return next((number for number, line in lines if word.search(line)), 0)


def note_question(sql: str, outcome: Outcome) -> None:
    """Keep a statement in the history of this session."""
    asked: list[Asked] = st.session_state.setdefault(_HISTORY, [])
    asked[:] = [Asked(sql, clock.now(), _summarise(outcome)), *(each for each in asked if each.sql != sql)]
    del asked[_MAX_HISTORY:]


def _summarise(outcome: Outcome) -> str:
    if outcome.error:
        return outcome.error.reason
    if outcome.answer is None:
        return "stopped"
    return f"{fmt.exact(outcome.answer.table.num_rows)} rows in {fmt.duration(outcome.took_s)}"


def _draft(sql: str) -> _Draft:
    kept = st.session_state.get(_DRAFT)
    if isinstance(kept, _Draft) and (kept.run == sql or not sql):
        return kept
    version = kept.version + 1 if isinstance(kept, _Draft) else 0
    made = _Draft(version, sql or next(iter(EXAMPLES.values())), sql)
    st.session_state[_DRAFT] = made
    return made


def _write(text: str) -> None:
    kept = st.session_state[_DRAFT]
    st.session_state[_DRAFT] = _Draft(kept.version + 1, text, kept.run)


def _show_examples() -> None:
    with st.popover("Examples", icon=":material/lightbulb:"):
        for name, text in EXAMPLES.items():
            st.button(
                literal(name),
                key=f"example_{name}",
                type="tertiary",
                help="Put it into the editor",
                on_click=_write,
                args=(text,),
            )


def _show_history() -> None:
    asked: Sequence[Asked] = st.session_state.get(_HISTORY, ())
    with st.popover("History", icon=":material/history:"):
        if not asked:
            st.caption("What you run in this session is listed here.")
        for place, each in enumerate(asked):
            text = " ".join(each.sql.split())
            short = text if len(text) <= _SUMMARY_CHARS else f"{text[: _SUMMARY_CHARS - 1]}…"
            st.button(
                literal(short), key=f"history_{place}", type="tertiary", on_click=run_sql, args=(each.sql,)
            )
            st.caption(literal(f"{fmt.ago(each.time, clock.now())} · {each.summary}"))
