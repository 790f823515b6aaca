"""What became of a question: chart, table, files and where it comes from; or why there is no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.colours import palette
from streamlit_app.components.choices import chosen_in_url, show_choice
from streamlit_app.components.empty import show_no_match
from streamlit_app.components.errors import show_error, show_stale
from streamlit_app.components.panel import panel
from streamlit_app.components.safe_text import literal
from streamlit_app.data.connection import DENIED, ServerError
from streamlit_app.data.reports import to_request
from streamlit_app.panels.freshness import show_freshness, show_not_exported
from streamlit_app.panels.result_chart import show_result_chart
from streamlit_app.panels.result_table import download_buttons, show_table
from streamlit_app.results.chart_choice import TYPES, plan_chart
from streamlit_app.results.columns import to_result
from streamlit_app.results.grpc_call import to_command
from streamlit_app.state.answers import forget
from streamlit_app.state.view import View

if TYPE_CHECKING:
    from streamlit_app.data.reports import Answer
    from streamlit_app.results.chart_choice import ChartType, Plan
    from streamlit_app.results.columns import Column, Result
    from streamlit_app.state.answers import Outcome
    from streamlit_app.state.questions import Question

_NO_CHART: Final = "none"


def show_outcome(question: Question, outcome: Outcome, *, value_title: str = "", name: str) -> Pick | None:
    """Show an answer, or why there is none; return what was clicked on in the table.

    ``value_title`` is what a report's column ``value`` holds; ``name`` is that of files.
    """
    if outcome.is_cancelled:
        _show_cancelled(question)
        return None
    answer = outcome.answer
    if outcome.error is not None and (answer is None or outcome.is_final):
        _show_error(question, outcome.error)
        return None
    if answer is None:
        return None
    if outcome.error is not None and outcome.read_time is not None:
        show_stale(outcome.error, outcome.read_time)
    if not answer.table.num_rows:
        _show_nothing(question)
    else:
        result = to_result(answer.columns, answer.table, of_report=not question.sql, value_title=value_title)
        _show_chart(result)
        picked = _show_rows(question, answer, result, name)
        show_freshness(answer, outcome.read_time, outcome.took_s)
        return picked
    show_freshness(answer, outcome.read_time, outcome.took_s)
    return None


Pick = tuple["Column", object]


def _show_cancelled(question: Question) -> None:
    with st.container(border=True, horizontal_alignment="center", key="cancelled"):
        st.markdown("**Stopped before there was an answer.**", width="content")
        st.button("Run again", icon=":material/play_arrow:", on_click=forget, args=(question,))


def _show_error(question: Question, error: ServerError) -> None:
    if error.reason == "LAKE_UNAVAILABLE":
        show_not_exported(error, question.window)
        return
    if error.reason.startswith("SQL_"):
        _show_sql_error(error)
        return
    show_error(error, retry=error.reason != DENIED)


_SQL_TITLES: Final = {
    "SQL_REFUSED": "Refused: the sandbox does not run this.",
    "SQL_FAILED": "The statement has a mistake.",
    "SQL_LIMIT_EXCEEDED": "Stopped: the statement needs more than it may have.",
}


def _show_sql_error(error: ServerError) -> None:
    title = _SQL_TITLES.get(error.reason, "The statement was not run.")
    sentence, _, excerpt = error.message.partition("\n")
    st.error(
        f"**{literal(title)}** {literal(sentence)} :gray[:small[{literal(error.reason)}]]",
        icon=":material/gavel:",
    )
    if excerpt.strip():
        st.code(excerpt.strip("\n"), language=None)


def _show_nothing(question: Question) -> None:
    if question.sql:
        st.info("The statement found no rows.", icon=":material/table_rows:")
    else:
        show_no_match(View(question.window))


def _show_chart(result: Result) -> None:
    plan = plan_chart(result)
    if plan is None or len(result.frame) < 2:  # noqa: PLR2004 - one row is a table already
        return
    with panel("Chart", key="result_chart") as row:
        measure, kind = _choose(row, plan)
        if kind is None:
            return
        note = show_result_chart(result, plan, kind, measure, palette())
        if note:
            st.caption(literal(note))


def _choose(row: st.delta_generator.DeltaGenerator, plan: Plan) -> tuple[Column, ChartType | None]:
    by_name = {measure.name: measure for measure in plan.measures}
    name = chosen_in_url("y", by_name, plan.measure.name)
    if len(by_name) > 1:
        st.session_state["result_measure"] = name
        row.selectbox(
            "Measure",
            list(by_name),
            format_func=lambda each: by_name[each].title,
            key="result_measure",
            label_visibility="collapsed",
            width=210,
            on_change=_keep_measure,
            args=(plan.measure.name,),
        )
    types = {kind: TYPES[kind] for kind in plan.types} | {_NO_CHART: "Off"}
    default = plan.types[0]
    show_choice(row, "Type of chart", "chart", types, default)
    chosen = chosen_in_url("chart", types, default)
    return by_name[name], next((kind for kind in plan.types if kind == chosen), None)


def _keep_measure(default: str) -> None:
    chosen = st.session_state["result_measure"]
    if chosen == default:
        st.query_params.pop("y", None)
    else:
        st.query_params["y"] = chosen


def _show_rows(question: Question, answer: Answer, result: Result, name: str) -> Pick | None:
    count = len(result.frame)
    note = f"{fmt.exact(count)} row{'' if count == 1 else 's'}"
    with panel("Table", note=note, key="result_table") as row:
        download_buttons(row, answer.table, name)
        request = to_request(question, question.window.bounds(clock.now()).to_time_range(clock.now()))
        with row.popover("gRPC", icon=":material/terminal:", help="The same as a call from a shell"):
            st.caption("The same question from a shell. The answer is an Arrow stream in Base64.")
            st.code(to_command(request), language="bash", wrap_lines=True)
        if answer.truncated:
            st.warning(
                f"Cut after {literal(fmt.exact(count))} rows: there are more. "
                "Group them, or ask for fewer by WHERE.",
                icon=":material/content_cut:",
            )
        cell = show_table(result, key=f"result_table {hash(question)}")
    if cell is None:
        return None
    place, column = cell
    return column, result.frame[column.title].iloc[place]
