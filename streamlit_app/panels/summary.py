"""The cards: six numbers of the window, their course, and their change against the window before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamlit_app import format as fmt
from streamlit_app import metrics as of
from streamlit_app.components.cards import Card, show_cards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_observe.v1.analytics_service_pb2 import GetSummaryResponse, Metrics

    from streamlit_app.components.charts import Step


def show_summary(summary: GetSummaryResponse, steps: Sequence[Step]) -> None:
    """Show the cards; ``steps`` are drawn as their courses.

    A change compares the finished part of the window with as long a part of the window before.
    """
    now, finished, before = summary.current, summary.finished, summary.previous
    course = [step.metrics for step in steps if step.is_finished]

    def draw(number: Callable[[Metrics], float | None], missing: float | None = None) -> list[float | None]:
        return [number(metrics) if metrics else missing for metrics in course]

    show_cards([
        Card(
            "Requests",
            fmt.compact(now.request_count),
            fmt.change(finished.request_count, before.request_count),
            help=f"{fmt.exact(now.request_count)} calls",
            course=draw(lambda metrics: metrics.request_count, 0),
        ),
        Card(
            "Error rate",
            fmt.percent(of.error_rate(now)),
            fmt.points(of.error_rate(finished), of.error_rate(before)),
            good="down",
            help=f"{fmt.exact(now.error_count)} failed, {fmt.exact(now.cancelled_count)} cancelled of "
            f"{fmt.exact(now.request_count)}. The change is in percentage points.",
            course=draw(of.error_rate, 0),
        ),
        _duration_card("Latency p50", of.p50_latency, summary, draw(of.p50_latency)),
        _duration_card("Latency p95", of.p95_latency, summary, draw(of.p95_latency)),
        _duration_card("First token p50", of.first_token, summary, draw(of.first_token)),
        Card(
            "Cost",
            fmt.cost(now.cost_nano_usd, now.priced_count, now.unpriced_count),
            fmt.change(of.known_cost(finished), of.known_cost(before)),
            help=_explain_cost(now),
            course=draw(of.known_cost, 0),
            note=fmt.unpriced_share(now.priced_count, now.unpriced_count),
        ),
    ])  # fmt: skip


def _duration_card(
    label: str,
    number: Callable[[Metrics], float | None],
    summary: GetSummaryResponse,
    course: Sequence[float | None],
) -> Card:
    return Card(
        label,
        fmt.duration(number(summary.current)),
        fmt.change(number(summary.finished), number(summary.previous)),
        good="down",
        help="Of calls that succeeded. Percentiles are accurate to 1 %.",
        course=course,
    )


def _explain_cost(now: Metrics) -> str:
    known = f"{fmt.exact(now.priced_count)} of {fmt.exact(now.request_count)} calls have a known price"
    if not now.unpriced_count:
        return f"{known}."
    return (
        f"{known}; {fmt.unpriced_share(now.priced_count, now.unpriced_count)}: what they cost is not counted."
    )
