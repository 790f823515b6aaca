"""Dashboard: cards, latency and throughput over time, providers, recent errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import streamlit as st
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.filter_pb2 import TimeRange

from streamlit_app import format as fmt
from streamlit_app.client import ServerError, analytics, server_errors, settings
from streamlit_app.components.cards import Card, show_cards
from streamlit_app.components.charts import latency_chart, throughput_chart
from streamlit_app.components.errors import show_error, show_stale
from streamlit_app.components.safe_text import literal
from streamlit_app.components.tables import show_errors, show_providers
from streamlit_app.metrics import average_latency, first_token, p95_latency, success_rate

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOWS: Final = {
    "1 h": timedelta(hours=1),
    "24 h": timedelta(hours=24),
    "7 d": timedelta(days=7),
    "30 d": timedelta(days=30),
}
_DEFAULT_WINDOW: Final = "24 h"
_ERRORS_SHOWN: Final = 20


class _Panels(NamedTuple):
    """Everything the page shows, read for one and the same window."""

    read_time: datetime
    summary: pb.GetSummaryResponse
    overall: pb.QueryTimeSeriesResponse
    by_provider: pb.QueryTimeSeriesResponse
    providers: pb.QueryBreakdownResponse
    errors: pb.ListErrorsResponse


def render() -> None:
    """Show the page; its numbers refresh by themselves."""
    head, choice = st.columns([3, 2], vertical_alignment="bottom")
    head.title("Dashboard")
    requested = st.query_params.get("window", _DEFAULT_WINDOW)
    window = choice.segmented_control(
        "Window",
        list(WINDOWS),
        default=requested if requested in WINDOWS else _DEFAULT_WINDOW,
        label_visibility="collapsed",
        key="window",
    )
    st.query_params["window"] = window or _DEFAULT_WINDOW
    st.fragment(_show_numbers, run_every=settings().refresh_s)(window or _DEFAULT_WINDOW)


def _show_numbers(window: str) -> None:
    """Read and show the panels; while the server does not answer, the last ones it gave."""
    known: dict[str, _Panels] = st.session_state.setdefault("dashboard_panels", {})
    try:
        with server_errors():
            known[window] = _read(WINDOWS[window])
    except ServerError as error:
        if window in known:
            show_stale(error, since=known[window].read_time, refresh_s=settings().refresh_s)
        else:
            show_error(error)
        st.button("Try now", icon=":material/refresh:", key="retry")  # any click runs this function again
    if window in known:
        _show_panels(known[window])


def _show_panels(panels: _Panels) -> None:
    if not panels.summary.current.request_count and not panels.summary.previous.request_count:
        _show_empty()
        return
    show_cards(_cards(panels.summary.current, panels.summary.finished, panels.summary.previous))
    _show_charts(panels)
    with st.container(border=True):
        st.markdown("**Providers**")
        show_providers(panels.providers)
    with st.container(border=True):
        st.markdown("**Recent errors**")
        if panels.errors.logs:
            show_errors(panels.errors.logs)
        else:
            st.caption("None in this window.")
    st.caption(literal(_basis(panels)))


def _read(window: timedelta) -> _Panels:
    """Ask for all panels at the same time."""
    now = datetime.now(UTC)
    time_range = TimeRange()
    time_range.start_time.FromDatetime(now - window)
    time_range.end_time.FromDatetime(now)
    by_provider = pb.DIMENSION_PROVIDER
    stub, timeout_s = analytics(), settings().timeout_s
    with ThreadPoolExecutor() as threads:
        summary = threads.submit(
            stub.GetSummary, pb.GetSummaryRequest(time_range=time_range), timeout=timeout_s
        )
        overall = threads.submit(
            stub.QueryTimeSeries, pb.QueryTimeSeriesRequest(time_range=time_range), timeout=timeout_s
        )
        series = threads.submit(
            stub.QueryTimeSeries,
            pb.QueryTimeSeriesRequest(time_range=time_range, group_by=by_provider),
            timeout=timeout_s,
        )
        providers = threads.submit(
            stub.QueryBreakdown,
            pb.QueryBreakdownRequest(time_range=time_range, dimension=by_provider),
            timeout=timeout_s,
        )
        errors = threads.submit(
            stub.ListErrors,
            pb.ListErrorsRequest(time_range=time_range, page_size=_ERRORS_SHOWN),
            timeout=timeout_s,
        )
        return _Panels(
            now, summary.result(), overall.result(), series.result(), providers.result(), errors.result()
        )


def _show_empty() -> None:
    with st.container(border=True):
        st.subheader("No calls in this window yet")
        st.markdown(
            "Make the first one on the **Chat** page, generate some with `llm-observe demo-traffic`, "
            "or record your own application:"
        )
        st.code(
            "import llm_observe\nfrom openai import OpenAI\n\n"
            f'llm_observe.configure(endpoint="{settings().target}")\n'
            "client = llm_observe.wrap(OpenAI())",
            language="python",
        )


def _cards(now: pb.Metrics, finished: pb.Metrics, before: pb.Metrics) -> list[Card]:
    """Return the numbers of the window; its finished part is what is compared with the window before."""
    return [
        Card(
            "Requests",
            fmt.count(now.request_count),
            fmt.change(finished.request_count, before.request_count),
            good="up",
            help=f"{now.request_count:,} calls",
        ),
        Card(
            "Success rate",
            fmt.percent(success_rate(now)),
            fmt.change(success_rate(finished), success_rate(before)),
            good="up",
            help=f"{now.success_count:,} succeeded, {now.error_count:,} failed, "
            f"{now.cancelled_count:,} cancelled",
        ),
        _duration_card("Average latency", average_latency, now, finished, before),
        _duration_card("p95 latency", p95_latency, now, finished, before),
        _duration_card("First token, p50", first_token, now, finished, before),
        Card(
            "Input tokens",
            fmt.count(now.input_token_count),
            fmt.change(finished.input_token_count, before.input_token_count),
            help=f"{now.input_token_count:,}, including cached tokens",
        ),
        Card(
            "Output tokens",
            fmt.count(now.output_token_count),
            fmt.change(finished.output_token_count, before.output_token_count),
            help=f"{now.output_token_count:,}, including reasoning tokens",
        ),
        Card(
            "Cost",
            fmt.money(now.cost_nano_usd if now.priced_count else None),
            help=f"{now.priced_count:,} of {now.request_count:,} calls have a known price",
        ),
    ]


def _duration_card(
    label: str,
    duration: Callable[[pb.Metrics], float | None],
    now: pb.Metrics,
    finished: pb.Metrics,
    before: pb.Metrics,
) -> Card:
    change = fmt.change(duration(finished), duration(before))
    return Card(label, fmt.duration(duration(now)), change, good="down")


def _show_charts(panels: _Panels) -> None:
    left, right = st.columns(2)
    with left.container(border=True):
        st.markdown("**Latency and time to first token**")
        st.altair_chart(latency_chart(panels.overall.series))
    with right.container(border=True):
        st.markdown("**Requests by provider**")
        st.altair_chart(throughput_chart(panels.by_provider.series))


def _basis(panels: _Panels) -> str:
    time_range = panels.summary.time_range
    start, end = fmt.timestamp(time_range.start_time), fmt.timestamp(time_range.end_time)
    return (
        f"Counts calls from {start:%d %b %H:%M} to {end:%d %b %H:%M} UTC; changes compare its finished "
        f"part with the same part of the window before. Percentiles are accurate to 1 %. Updated at "
        f"{panels.read_time:%H:%M:%S} UTC; refreshes every {settings().refresh_s:g} s."
    )
