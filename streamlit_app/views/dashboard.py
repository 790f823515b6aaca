"""Dashboard: cards, latency and throughput over time, providers, recent errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.filter_pb2 import MetricFilter, TimeRange

from streamlit_app import format as fmt
from streamlit_app.client import ServerError, analytics, server_errors, settings
from streamlit_app.components.charts import latency_chart, throughput_chart

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.delta_generator import DeltaGenerator

WINDOWS: Final = {
    "1 h": timedelta(hours=1),
    "24 h": timedelta(hours=24),
    "7 d": timedelta(days=7),
    "30 d": timedelta(days=30),
}
_DEFAULT_WINDOW: Final = "24 h"
_REFRESH_S: Final = 10
_ERRORS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class _Panels:
    """Everything the page shows, read for one and the same window."""

    summary: pb.GetSummaryResponse
    overall: pb.QueryTimeSeriesResponse
    by_provider: pb.QueryTimeSeriesResponse
    providers: pb.QueryBreakdownResponse
    errors: pb.ListErrorsResponse


def render() -> None:
    """Show the page; its numbers refresh by themselves."""
    head, choice = st.columns([3, 2], vertical_alignment="bottom")
    head.title("Dashboard")
    asked = st.query_params.get("window", _DEFAULT_WINDOW)
    window = choice.segmented_control(
        "Window",
        list(WINDOWS),
        default=asked if asked in WINDOWS else _DEFAULT_WINDOW,
        label_visibility="collapsed",
        key="window",
    )
    st.query_params["window"] = window or _DEFAULT_WINDOW
    _numbers(WINDOWS[window or _DEFAULT_WINDOW])


@st.fragment(run_every=_REFRESH_S)
def _numbers(window: timedelta) -> None:
    try:
        with server_errors():
            panels = _read(window)
    except ServerError as error:
        st.error(f"{error.message} ({error.reason})", icon=":material/cloud_off:")
        return
    if not panels.summary.current.request_count and not panels.summary.previous.request_count:
        _show_empty()
        return
    _show_cards(panels.summary)
    _show_charts(panels)
    _show_providers(panels.providers)
    _show_errors(panels.errors)
    st.caption(_basis(panels.summary.time_range))


def _read(window: timedelta) -> _Panels:
    """Ask for all panels side by side."""
    now = datetime.now(UTC)
    span = TimeRange()
    span.start_time.FromDatetime(now - window)
    span.end_time.FromDatetime(now)
    stub, timeout_s, everything = analytics(), settings().timeout_s, MetricFilter()
    questions: tuple[Callable[[], object], ...] = (
        lambda: stub.GetSummary(pb.GetSummaryRequest(time_range=span, filter=everything), timeout=timeout_s),
        lambda: stub.QueryTimeSeries(pb.QueryTimeSeriesRequest(time_range=span), timeout=timeout_s),
        lambda: stub.QueryTimeSeries(
            pb.QueryTimeSeriesRequest(time_range=span, group_by=pb.DIMENSION_PROVIDER), timeout=timeout_s
        ),
        lambda: stub.QueryBreakdown(
            pb.QueryBreakdownRequest(time_range=span, dimension=pb.DIMENSION_PROVIDER), timeout=timeout_s
        ),
        lambda: stub.ListErrors(
            pb.ListErrorsRequest(time_range=span, page_size=_ERRORS_SHOWN), timeout=timeout_s
        ),
    )
    with ThreadPoolExecutor(len(questions)) as threads:
        answers = [threads.submit(question) for question in questions]
        return _Panels(*(answer.result() for answer in answers))  # type: ignore[arg-type] # in the order of _Panels


def _show_empty() -> None:
    with st.container(border=True):
        st.subheader("No calls in this window yet")
        st.markdown(
            "Send the first one from the **Chat** page, fill the page with `llm-observe demo-traffic`, "
            "or record your own application:"
        )
        st.code(
            "import llm_observe\nfrom openai import OpenAI\n\n"
            f'llm_observe.configure(endpoint="{settings().target}")\n'
            "client = llm_observe.wrap(OpenAI())",
            language="python",
        )


def _show_cards(summary: pb.GetSummaryResponse) -> None:
    now, before = summary.current, summary.previous
    cards = st.columns(4)
    cards[0].metric(
        "Requests",
        fmt.count(now.request_count),
        fmt.change(now.request_count, before.request_count),
        border=True,
        help=f"{now.request_count:,} calls",
    )
    cards[1].metric(
        "Success rate",
        fmt.percent(_rate(now)),
        fmt.change(_rate(now), _rate(before)),
        border=True,
        help=f"{now.success_count:,} good, {now.error_count:,} failed, {now.cancelled_count:,} cancelled",
    )
    _card(cards[2], "Average latency", _latency(now, "average"), _latency(before, "average"))
    _card(cards[3], "p95 latency", _latency(now, "p95"), _latency(before, "p95"))
    cards = st.columns(4)
    _card(cards[0], "First token, p50", _ttft(now), _ttft(before))
    cards[1].metric(
        "Input tokens",
        fmt.count(now.input_token_count),
        fmt.change(now.input_token_count, before.input_token_count),
        delta_color="off",
        border=True,
        help=f"{now.input_token_count:,}, cached ones included",
    )
    cards[2].metric(
        "Output tokens",
        fmt.count(now.output_token_count),
        fmt.change(now.output_token_count, before.output_token_count),
        delta_color="off",
        border=True,
        help=f"{now.output_token_count:,}, reasoning included",
    )
    cards[3].metric(
        "Cost",
        fmt.money(now.cost_nano_usd if now.priced_count else None),
        border=True,
        help=f"{now.priced_count:,} of {now.request_count:,} calls have a known price",
    )


def _card(place: DeltaGenerator, label: str, now: float | None, before: float | None) -> None:
    place.metric(label, fmt.duration(now), fmt.change(now, before), delta_color="inverse", border=True)


def _rate(metrics: pb.Metrics) -> float | None:
    return metrics.success_rate if metrics.HasField("success_rate") else None


def _latency(metrics: pb.Metrics, name: str) -> float | None:
    return fmt.seconds(getattr(metrics.latency, name)) if metrics.HasField("latency") else None


def _ttft(metrics: pb.Metrics) -> float | None:
    found = metrics.HasField("time_to_first_token")
    return fmt.seconds(metrics.time_to_first_token.p50) if found else None


def _show_charts(panels: _Panels) -> None:
    left, right = st.columns(2)
    with left.container(border=True):
        st.markdown("**Latency and time to first token**")
        st.altair_chart(latency_chart(panels.overall.series))
    with right.container(border=True):
        st.markdown("**Requests by provider**")
        st.altair_chart(throughput_chart(panels.by_provider.series))


def _show_providers(breakdown: pb.QueryBreakdownResponse) -> None:
    with st.container(border=True):
        st.markdown("**Providers**")
        total = max(1, breakdown.total.request_count)
        rows = [
            {
                "Provider": row.group,
                "Requests": row.metrics.request_count,
                "Share": row.metrics.request_count / total,
                "Success": fmt.percent(_rate(row.metrics)),
                "Average": fmt.duration(_latency(row.metrics, "average")),
                "p95": fmt.duration(_latency(row.metrics, "p95")),
                "First token p50": fmt.duration(_ttft(row.metrics)),
                "Tokens": fmt.count(row.metrics.total_token_count),
            }
            for row in breakdown.rows
        ]
        share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
        st.dataframe(rows, hide_index=True, column_config={"Share": share})


def _show_errors(errors: pb.ListErrorsResponse) -> None:
    with st.container(border=True):
        st.markdown("**Recent errors**")
        if not errors.logs:
            st.caption("None in this window.")
            return
        now = datetime.now(UTC)
        rows = [
            {
                "When": fmt.ago(fmt.moment(log.start_time), now),
                "Provider": log.provider,
                "Model": log.model,
                "Code": log.error_code or fmt.NOTHING,
                "HTTP": str(log.http_status) if log.HasField("http_status") else fmt.NOTHING,
                "Message": log.error_message,
                "Log": log.log_id,
            }
            for log in errors.logs
        ]
        st.dataframe(rows, hide_index=True)


def _basis(span: TimeRange) -> str:
    start, end = fmt.moment(span.start_time), fmt.moment(span.end_time)
    return (
        f"Counted: {start:%d %b %H:%M} to {end:%d %b %H:%M} UTC, in whole hours; changes are against the "
        f"window of the same length before. Percentiles are within 1 %. Refreshes every {_REFRESH_S} s."
    )
