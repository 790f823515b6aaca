"""Logs: find that call. Why was it slow, or wrong?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.colours import palette
from streamlit_app.components.chart_data import show_data_button, step_rows
from streamlit_app.components.charts import Look, steps_of
from streamlit_app.components.choices import chosen_in_url, is_on_in_url, show_choice, show_switch
from streamlit_app.components.empty import (
    let_numbers_be_drawn,
    read_with_placeholders,
    show_no_data,
    show_no_match,
)
from streamlit_app.components.errors import show_connection_state, show_panel_state
from streamlit_app.components.header import page_header
from streamlit_app.components.hover import is_mouse_in
from streamlit_app.components.log_filters import write_filter
from streamlit_app.components.panel import panel
from streamlit_app.components.safe_text import literal
from streamlit_app.data import analytics
from streamlit_app.data.connection import settings
from streamlit_app.data.log_search import PAGE_SIZE, LogSearch
from streamlit_app.data.reads import read_together
from streamlit_app.panels.log_drawer import listed_logs, open_log, open_log_id, remember_listed, show_drawer
from streamlit_app.panels.log_search import SearchLine, keep_search, kept_search
from streamlit_app.panels.log_table import show_log_table
from streamlit_app.panels.pulse import MODES, PULSE_HEIGHT, count_of, show_pulse
from streamlit_app.state import live
from streamlit_app.state.filters import KEYS, LABELS, METRIC_KEYS, OUTCOMES
from streamlit_app.state.log_page import LogPage, go_to_page
from streamlit_app.state.view import View, current_view, show_view
from streamlit_app.state.window import Window

if TYPE_CHECKING:
    from datetime import datetime

    from llm_observe.v1 import analytics_service_pb2 as pb
    from llm_observe.v1.log_pb2 import Log
    from streamlit.delta_generator import DeltaGenerator

    from streamlit_app.components.charts import Step
    from streamlit_app.components.header import Header
    from streamlit_app.data.reads import Read, Reads

_PLACEHOLDERS: Final = (150, 620)
_EXPORTED_ROWS: Final = 100_000
_LIVE_REFRESH_S: Final = 2.0
_PULSE_KEYS: Final = (*METRIC_KEYS, "outcome")
"""Filters that the strip knows of; the others act on the table alone."""
_TABLE: Final = "log_table"
_LAST: Final = "logs_last_read"
_CHANGED: Final = "logs_changed"
_OUTCOMES: Final = "filter_outcome"
_SIGNS: Final = {"success": "✓", "error": "✕", "cancelled": "⊘"}


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the page shows, read for one and the same window."""

    view: View
    page: LogPage | None
    read_time: datetime
    query: analytics.Query
    reads: Reads
    summary: Read[pb.GetSummaryResponse]
    overall: Read[pb.QueryTimeSeriesResponse]
    logs: Read[LogSearch]


def render() -> None:
    """Show the page; it refreshes by itself, but not while a call is open."""
    header = page_header("Logs", "logs", filter_keys=KEYS)
    _show_tools(header.view)
    is_call_open = bool(open_log_id())
    refresh_s = None if is_call_open else header.refresh_s
    if is_on_in_url(live.PARAMETER):
        refresh_s = _LIVE_REFRESH_S
    else:
        live.stop_following()
    # Told, not read from the URL: a refresh that left the browser before a click has the URL as it was.
    st.fragment(_show_logs, run_every=refresh_s, key="logs")(header, is_call_open=is_call_open)
    if is_call_open:
        show_drawer()


def _show_tools(view: View) -> None:
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="log_tools")
    with row:
        write_filter(view, "q", lambda: None, "text in prompt, answer or error", is_search=True)
        show_switch(row, "Live", live.PARAMETER, hint="Show calls as they are stored")
        query = analytics.to_query(view, clock.now())
        st.download_button(
            "CSV",
            lambda: analytics.export_csv(query, _EXPORTED_ROWS),
            file_name=f"llm-observe-logs-{clock.now():%Y-%m-%d-%H%M}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            help=f"The newest {fmt.exact(_EXPORTED_ROWS)} calls of this view",
        )


def _show_logs(header: Header, *, is_call_open: bool) -> None:
    if st.session_state.pop(_CHANGED, False):
        st.rerun()  # the whole page: its header shows the filters, too
    view = header.view
    is_first = _LAST not in st.session_state
    answers = _read(view)
    header.show_updated(answers.logs.read_time)
    if not show_connection_state(answers.reads):
        return
    place = _show_pulse_frame(answers, is_first=is_first)
    is_strip_first = _is_searching(answers)  # which takes longer than drawing does
    if is_strip_first:
        _show_pulse(answers, place)
    if show_panel_state(answers.logs) and answers.logs.value:
        _show_list(answers, answers.logs.value, is_call_open=is_call_open)
    if not is_strip_first:
        if is_first:
            let_numbers_be_drawn()
        _show_pulse(answers, place)


# -- reading -----------------------------------------------------------------------------------------------


def _read(view: View) -> _Answers:
    page = LogPage.from_url(view)
    is_live = is_on_in_url(live.PARAMETER)
    last: _Answers | None = st.session_state.get(_LAST)
    may_be_old = last is not None and (is_live or _is_searching(last))
    if last and may_be_old and (last.view, last.page) == (view, page) and _is_fresh(last):
        # The rows come by themselves: the rest is as old as it is on a page that is not live.
        return last
    # To the millisecond, as the URL of the next page says when this one was read.
    now = page.read_time if page else clock.now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    with read_with_placeholders("logs", (view, page), _PLACEHOLDERS) as reads:
        answers = _start(reads, view, page, now)
    st.session_state[_LAST] = answers
    return answers


def _is_fresh(answers: _Answers) -> bool:
    age_s = (clock.now() - answers.read_time).total_seconds()
    return age_s < settings().refresh_s and not answers.reads.unreachable


def _is_searching(answers: _Answers) -> bool:
    return answers.logs.value is not None and answers.logs.value.is_running


def _start(reads: Reads, view: View, page: LogPage | None, now: datetime) -> _Answers:
    query = analytics.to_query(view, now)
    token, kept = page.token if page else "", kept_search((view, page))
    return _Answers(
        view=view,
        page=page,
        read_time=clock.now(),
        query=query,
        reads=reads,
        summary=reads.start("summary", lambda: analytics.get_summary(query)),
        overall=reads.start("overall", lambda: analytics.query_time_series(query)),
        logs=reads.start("logs", lambda: kept or LogSearch.begin(query, token, now)),
    )


# -- the strip ---------------------------------------------------------------------------------------------


def _show_pulse_frame(answers: _Answers, *, is_first: bool) -> DeltaGenerator:
    """Show the strip's panel; return the place for the strip, which is drawn after the table."""
    with panel("Calls", note="drag, or click a step, to narrow", key="pulse") as row:
        if answers.summary.value:
            with row:
                _show_outcomes(answers.view, answers.summary.value.current)
        show_choice(row, "Strip of", "pulse", MODES, "calls")
        if answers.overall.value:
            show_data_button(row, "pulse", lambda: step_rows(_steps(answers), {}))
        is_known = show_panel_state(answers.overall)
        place = st.container()
        if is_known:
            _show_what_is_not_counted(answers.view)
            if is_first:
                place = place.empty()
                place.skeleton(height=PULSE_HEIGHT)
    return place


def _steps(answers: _Answers) -> list[Step]:
    overall = answers.overall.value
    if overall is None:
        return []
    return steps_of(overall, overall.series[0] if overall.series else None, answers.query.bounds)


def _show_pulse(answers: _Answers, place: DeltaGenerator) -> None:
    steps = _steps(answers)
    if not steps:
        return
    mode = chosen_in_url("pulse", MODES, "calls")
    look = Look(answers.query.bounds, palette(), clock.viewer_zone(), _key(answers.view))
    with place:
        dragged = show_pulse(steps, mode, answers.view.filters.outcome, look)
    if dragged:
        show_view(answers.view.during(Window.between(*dragged)))
        st.rerun()


def _show_outcomes(view: View, current: pb.Metrics) -> None:
    st.session_state[_OUTCOMES] = list(view.filters.outcome)
    st.pills(
        "Outcome",
        list(_SIGNS),
        selection_mode="multi",
        format_func=lambda outcome: f"{_SIGNS[outcome]} {outcome} {fmt.compact(count_of(current, outcome))}",
        key=_OUTCOMES,
        on_change=_choose_outcomes,
        label_visibility="collapsed",
    )


def _choose_outcomes() -> None:
    show_view(current_view().filtered("outcome", *st.session_state[_OUTCOMES]))
    st.session_state[_CHANGED] = True


def _show_what_is_not_counted(view: View) -> None:
    others = [LABELS[key].lower() for key in KEYS if key not in _PULSE_KEYS and view.filters.get(key)]
    if others:
        names = f"{'filter' if len(others) == 1 else 'filters'} {', '.join(others)}"
        st.caption(f"Counted without the {literal(names)}: only the table is narrowed.")


# -- the table ---------------------------------------------------------------------------------------------


def _show_list(answers: _Answers, search: LogSearch, *, is_call_open: bool) -> None:
    keep_search((answers.view, answers.page), search)
    is_live = is_on_in_url(live.PARAMETER) and answers.page is None
    line = SearchLine(search) if search.step_count > 1 or search.is_running else None
    _show_rows(answers, search, is_live=is_live, is_call_open=is_call_open)
    if line:
        # One that is open does not wait for a search. What is live is searched as it refreshes.
        line.search_on(at_most=0 if is_call_open else 1 if is_live else None)
    if not search.listed.logs and not search.listed.next_page_token and answers.page is None:
        _show_nothing(answers.view)
        return
    _show_pages(answers, search)


def _show_rows(answers: _Answers, search: LogSearch, *, is_live: bool, is_call_open: bool) -> None:
    view, logs = answers.view, list(search.listed.logs)
    if is_live:
        logs = _follow(view, logs, is_call_open=is_call_open)
    shown_until_now = listed_logs()
    remember_listed([log.log_id for log in logs])
    if logs:
        key = f"{_key(view)} {answers.page} {st.session_state.get(_TABLE, 0)}"
        row = show_log_table(logs, key)
        if row is not None and row < len(shown_until_now):
            # Another key: nothing is selected in the new table, so that the same call can be opened again.
            st.session_state[_TABLE] = st.session_state.get(_TABLE, 0) + 1
            open_log(shown_until_now[row])  # a click and a new call may cross each other
            st.rerun()


def _follow(view: View, listed: list[Log], *, is_call_open: bool) -> list[Log]:
    """Return the newest calls, as they are stored; held while one is open or pointed at."""
    tail = live.follow(view)
    # Also on the line above the table: its button would go away before it is clicked.
    is_held = is_mouse_in("logs_wide", "live_line") or is_call_open
    shown, more = live.hold(live.merge_newest(tail.logs, listed, PAGE_SIZE), is_held=is_held)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="live_line"):
        words = "held while you read" if is_held else "following"
        st.markdown(f":green[●] {literal(f'Live · {words}')}", width="content")
        if more:
            st.button(
                literal(f"{fmt.exact(more)} new"),
                icon=":material/arrow_upward:",
                key="live_more",
                on_click=live.release,
            )
        if tail.missed:
            st.caption(literal(f"{fmt.exact(tail.missed)} came too fast to follow"), width="content")
        if tail.error:
            st.caption(f"Not following: {literal(tail.error.message)}", width="content")
    return shown


def _show_nothing(view: View) -> None:
    """Tell a view that nothing matches from a project without any calls."""
    with read_together("logs nothing", view) as reads:
        last_match = reads.start("match", lambda: analytics.find_last_log(view.filters.to_log_filter()))
        last = reads.start("any", analytics.find_last_log)
    if last.error is None and last.value is None:
        show_no_data()
        return
    found = last_match.value
    show_no_match(view, last=_last_words(found) if found else "")
    if found:
        st.button(
            "Open the last matching call", icon=":material/receipt_long:", key="open_last",
            on_click=open_log, args=(found.log_id,),
        )  # fmt: skip


def _last_words(log: Log) -> str:
    return f"Last matching call: {fmt.ago(fmt.timestamp(log.start_time), clock.now())}."


def _show_pages(answers: _Answers, search: LogSearch) -> None:
    view, listed, read_time = answers.view, search.listed, search.read_time
    older = LogPage(listed.next_page_token, read_time) if listed.next_page_token else None
    newer = LogPage(listed.previous_page_token, read_time) if listed.previous_page_token else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="log_pages"):
        if st.button("Newer", icon=":material/chevron_left:", disabled=newer is None, key="newer"):
            _turn(view, newer)
        if st.button(
            "Older",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=older is None,
            key="older",
        ):
            _turn(view, older)
        if answers.page and st.button("Newest", type="tertiary", key="newest"):
            _turn(view, None)
        st.caption(literal(_describe_page(answers, listed)), width="content")


def _turn(view: View, page: LogPage | None) -> None:
    go_to_page(view, page)
    st.rerun()


def _describe_page(answers: _Answers, listed: pb.ListLogsResponse) -> str:
    zone, words = clock.viewer_zone(), []
    if listed.logs:
        last, first = (fmt.timestamp(log.start_time) for log in (listed.logs[-1], listed.logs[0]))
        words.append(f"{len(listed.logs)} calls, {fmt.time_range(last, first, zone)}")
    about = _about_all(answers)
    if about is not None:
        words.append(f"about {fmt.exact(about)} in all")
    if not listed.next_page_token:
        words.append("the end of the window")
    return " · ".join(words)


def _about_all(answers: _Answers) -> int | None:
    """Return how many calls match, from rollups; None where they do not know the filters."""
    filters, summary = answers.view.filters, answers.summary.value
    if summary is None or any(filters.get(key) for key in KEYS if key not in _PULSE_KEYS):
        return None
    return sum(count_of(summary.current, outcome) for outcome in filters.outcome or OUTCOMES)


def _key(view: View) -> str:
    """Return a key for widgets: of another view they are others, and have nothing selected."""
    return repr(sorted(view.to_query().items()))
