"""Dashboard: is it fine? If not: since when, who, and what does it cost?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.colours import palette
from streamlit_app.components.chart_data import show_data_button, step_rows
from streamlit_app.components.charts import (
    Look,
    selected_range,
    selected_values,
    steps_moved,
    steps_of,
)
from streamlit_app.components.choices import chosen_in_url, is_on_in_url, show_choice, show_switch
from streamlit_app.components.empty import (
    let_numbers_be_drawn,
    read_with_placeholders,
    show_no_data,
    show_no_match,
)
from streamlit_app.components.errors import show_connection_state, show_panel_state
from streamlit_app.components.header import page_header
from streamlit_app.components.links import open_page
from streamlit_app.components.panel import logs_link, panel
from streamlit_app.components.release_marks import release_marks
from streamlit_app.data import analytics
from streamlit_app.data.reads import has_answers, read_together
from streamlit_app.data.server import sum_ledger
from streamlit_app.pages import registered
from streamlit_app.panels.breakdown import (
    DIMENSIONS,
    WITH_COURSE,
    breakdown_csv,
    course_step,
    show_breakdown,
)
from streamlit_app.panels.errors import error_code_rows, show_error_codes, show_recent_errors
from streamlit_app.panels.latency import show_latency
from streamlit_app.panels.ledger import show_ledger
from streamlit_app.panels.requests import OTHERS, show_requests
from streamlit_app.panels.summary import show_summary
from streamlit_app.panels.tokens import show_tokens
from streamlit_app.state.filters import METRIC_KEYS
from streamlit_app.state.view import View, show_view
from streamlit_app.state.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_observe.v1 import analytics_service_pb2 as pb

    from streamlit_app.components.charts import Step
    from streamlit_app.components.header import Header
    from streamlit_app.data.reads import Read, Reads
    from streamlit_app.data.server import Ledger

_STACKED_BY: Final = {"provider": "Provider", "model": "Model", "env": "Environment"}
_PLACEHOLDERS: Final = (150, 70, 340, 260)
_PANELS: Final = "dashboard panels"
_PANEL_PLACEHOLDERS: Final = (340, 260)
_RECENT_ERRORS: Final = 100
_MAX_PROVIDERS: Final = 6


def render() -> None:
    """Show the page; its numbers refresh by themselves."""
    header = page_header("Dashboard", "dashboard")
    header.refreshing(_show_numbers)(header)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What the cards show: read, and drawn, before anything else."""

    view: View
    query: analytics.Query
    summary: Read[pb.GetSummaryResponse]
    overall: Read[pb.QueryTimeSeriesResponse]

    @property
    def failed(self) -> int:
        """How many calls failed."""
        return self.summary.value.current.error_count if self.summary.value else 0


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the page shows beside them, read for one and the same window."""

    numbers: _Numbers
    stacked_by: str
    dimension: str
    stacked: Read[pb.QueryTimeSeriesResponse]
    before: Read[pb.QueryTimeSeriesResponse] | None
    groups: Read[pb.QueryBreakdownResponse]
    groups_before: Read[pb.QueryBreakdownResponse]
    courses: Read[pb.QueryTimeSeriesResponse] | None
    releases: Read[pb.ListReleasesResponse]
    providers: Read[pb.QueryBreakdownResponse]
    errors: Read[pb.ListErrorsResponse] | None
    ledger: Read[Ledger]

    @property
    def view(self) -> View:
        return self.numbers.view

    @property
    def query(self) -> analytics.Query:
        return self.numbers.query


def _show_numbers(header: Header) -> None:
    view = header.view.metrics_only()
    with read_with_placeholders("dashboard", view, _PLACEHOLDERS) as reads:
        numbers = _start_numbers(reads, view)
    header.show_updated(numbers.summary.read_time)
    if not show_connection_state(reads):
        return
    if numbers.summary.value and not numbers.summary.value.current.request_count:
        _show_nothing(view)
        return
    _show_cards(numbers)
    is_first = not has_answers(_PANELS, view)
    with read_with_placeholders(_PANELS, view, _PANEL_PLACEHOLDERS, error=reads.unreachable) as others:
        answers = _start_panels(others, numbers)
        if is_first:
            let_numbers_be_drawn()  # the answers for the charts are read meanwhile
    _show_charts(answers)
    _show_breakdown(answers)
    _show_errors(answers)
    if answers.ledger.value:  # without the role admin there is none
        show_ledger(answers.ledger.value)


def _start_numbers(reads: Reads, view: View) -> _Numbers:
    query = analytics.to_query(view, clock.now())
    return _Numbers(
        view=view,
        query=query,
        summary=reads.start("summary", lambda: analytics.get_summary(query)),
        overall=reads.start("overall", lambda: analytics.query_time_series(query)),
    )


def _start_panels(reads: Reads, numbers: _Numbers) -> _Answers:
    query = numbers.query
    before = analytics.window_before(query)
    stacked_by = chosen_in_url("by", _STACKED_BY, "provider")
    dimension = chosen_in_url("tab", DIMENSIONS, "provider")
    step = course_step(query.bounds)
    groups = reads.start(f"groups {dimension}", lambda: analytics.query_breakdown(query, dimension))
    return _Answers(
        numbers=numbers,
        stacked_by=stacked_by,
        dimension=dimension,
        stacked=reads.start(f"stacked {stacked_by}", lambda: analytics.query_time_series(query, stacked_by)),
        before=reads.start("before", lambda: analytics.query_time_series(before))
        if is_on_in_url("compare")
        else None,
        groups=groups,
        groups_before=reads.start(
            f"groups before {dimension}", lambda: analytics.query_breakdown(before, dimension)
        ),
        courses=reads.start(
            f"courses {dimension}", lambda: analytics.query_time_series(query, dimension, step)
        )
        if dimension in WITH_COURSE
        else None,
        releases=reads.start("releases", lambda: analytics.list_releases(query)),
        providers=groups
        if dimension == "provider"
        else reads.start("providers", lambda: analytics.query_breakdown(query, "provider", _MAX_PROVIDERS)),
        errors=reads.start("errors", lambda: analytics.list_errors(query, _RECENT_ERRORS))
        if numbers.failed
        else None,
        ledger=reads.start("ledger", lambda: sum_ledger(query.time_range), roles=("admin",)),
    )


def _show_nothing(view: View) -> None:
    """Tell a window without calls from a project without any."""
    with read_together("dashboard nothing", view) as reads:
        last_match = reads.start("match", lambda: analytics.find_last_log(view.filters.to_log_filter()))
        last = reads.start("any", analytics.find_last_log)
    if last.error is None and last.value is None:
        show_no_data()
        return
    found = last_match.value
    words = fmt.ago(fmt.timestamp(found.start_time), clock.now()) if found else ""
    show_no_match(view, last=f"Last matching call: {words}." if words else "")


def _steps(numbers: _Numbers) -> list[Step]:
    overall = numbers.overall.value
    if overall is None:
        return []
    series = overall.series[0] if overall.series else None
    return steps_of(overall, series, numbers.query.bounds)


def _steps_before(answers: _Answers) -> list[Step]:
    before = answers.before.value if answers.before else None
    if before is None:
        return []
    moved = analytics.window_before(answers.query).bounds
    return steps_moved(before, moved, answers.query.bounds.start - moved.start)


def _show_cards(numbers: _Numbers) -> None:
    if show_panel_state(numbers.summary) and numbers.summary.value:
        show_summary(numbers.summary.value, _steps(numbers), numbers.view)
        show_tokens(numbers.summary.value.current, palette())


def _show_charts(answers: _Answers) -> None:
    steps, before = _steps(answers.numbers), _steps_before(answers)
    look = Look(answers.query.bounds, palette(), clock.viewer_zone(), _key(answers.view))
    bounds = answers.query.bounds
    releases = release_marks(answers.releases.value, bounds.end - bounds.start)
    begun = releases.names_by_step(steps)
    left, right = st.columns(2)
    with left, panel("Latency", note="p50 to p95, p99 dashed, first token", key="latency") as row:
        show_switch(row, "Compare", "compare", hint="Draw the window before as a grey line")
        show_data_button(row, "latency", lambda: step_rows(steps, {}, begun))
        logs_link(row, answers.view.filtered("outcome", "success"))
        if show_panel_state(answers.numbers.overall):
            _apply(answers.view, show_latency(steps, before, look, releases))
    with right, panel("Requests", note="below: failed", key="requests") as row:
        show_choice(row, "Stacked by", "by", _STACKED_BY, "provider")
        show_data_button(row, "requests", lambda: step_rows(steps, _groups(answers), begun))
        logs_link(row, answers.view)
        if show_panel_state(answers.stacked) and answers.stacked.value:
            selection = show_requests(
                answers.stacked.value,
                steps,
                before,
                look._replace(key=f"{answers.stacked_by} {look.key}"),
                releases,
            )
            _apply(answers.view, selection, answers.stacked_by)


def _groups(answers: _Answers) -> dict[str, list[Step]]:
    """Return the steps of each group that the requests are stacked by."""
    stacked = answers.stacked.value
    return {
        OTHERS if series.remainder else series.group: steps_of(stacked, series, answers.query.bounds)
        for series in (stacked.series if stacked else ())
        if stacked
    }


def _courses(answers: _Answers) -> dict[str, list[float]]:
    """Return requests over time by group, without the step that is not finished."""
    courses = answers.courses.value if answers.courses else None
    return {
        series.group: [
            step.metrics.request_count if step.metrics else 0
            for step in steps_of(courses, series, answers.query.bounds)
            if step.is_finished
        ]
        for series in (courses.series if courses else ())
        if courses and not series.remainder
    }


def _show_breakdown(answers: _Answers) -> None:
    with panel("Breakdown", note="click a row to filter by it", key="breakdown") as row:
        show_choice(row, "Dimension", "tab", DIMENSIONS, "provider")
        groups = answers.groups.value
        if not show_panel_state(answers.groups) or not groups:
            return
        row.download_button(
            "CSV",
            lambda: breakdown_csv(answers.dimension, groups),
            file_name=f"llm-observe-by-{answers.dimension}-{clock.now():%Y-%m-%d-%H%M}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="breakdown_csv",
        )
        group = show_breakdown(
            answers.dimension,
            groups,
            before=answers.groups_before.value,
            courses=_courses(answers),
            key=_key(answers.view),
        )
    if group and answers.dimension in METRIC_KEYS:
        _show(answers.view.filtered(answers.dimension, group))
    elif group and "logs" in registered():
        open_page("logs", answers.view.filtered(answers.dimension, group))


def _show_errors(answers: _Answers) -> None:
    if answers.errors is None:
        return
    failures = answers.view.filtered("outcome", "error")
    rows = answers.providers.value.rows[:_MAX_PROVIDERS] if answers.providers.value else []
    providers = [row.group for row in rows]
    error = answers.errors.error if answers.errors.error and answers.errors.error.unreachable else None
    with read_together("dashboard errors", answers.view, error=error) as reads:
        codes = reads.start("codes", lambda: analytics.count_error_codes(answers.query, providers))
    left, right = st.columns([2, 3])
    with left, panel("Errors", note="by code and provider", key="codes") as row:
        show_data_button(row, "codes", lambda: error_code_rows(codes.value or {}))
        logs_link(row, failures)
        if show_panel_state(answers.providers) and show_panel_state(codes) and codes.value:
            cell = show_error_codes(codes.value, palette(), _key(answers.view))
            if cell and "logs" in registered():
                open_page("logs", failures.filtered("provider", cell.provider).filtered("code", cell.code))
    with right, panel("Recent errors", note="click a row to open the latest call", key="errors") as row:
        logs_link(row, failures)
        if show_panel_state(answers.errors) and answers.errors.value:
            log = show_recent_errors(answers.errors.value.logs, clock.now(), _key(answers.view))
            if log and "logs" in registered():
                open_page("logs", failures, log=log.log_id)


def _apply(view: View, selection: Mapping[str, object], field: str = "") -> None:
    """Narrow the page to what was selected in a chart: a range of time, or groups."""
    dragged = selected_range(selection)
    if dragged:
        _show(view.during(Window.between(*dragged)))
    groups = [group for group in selected_values(selection, "group") if group != OTHERS]
    if groups and field:
        _show(view.filtered(field, *groups))


def _show(view: View) -> None:
    show_view(view)
    st.rerun()


def _key(view: View) -> str:
    """Return a key for widgets: of another view they are others, and have nothing selected."""
    return repr(sorted(view.to_query().items()))
