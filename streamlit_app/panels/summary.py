"""The cards: six numbers of the window, their course, and their change against the window before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamlit_app import format as fmt
from streamlit_app import metrics as of
from streamlit_app.components.cards import Behind, Card, show_cards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_observe.v1.analytics_service_pb2 import GetSummaryResponse, Metrics

    from streamlit_app.components.charts import Step
    from streamlit_app.state.view import View


def show_summary(summary: GetSummaryResponse, steps: Sequence[Step], view: View) -> None:
    """Show the cards; ``steps`` are drawn as their courses, ``view`` is where links lead.

    A change compares the finished part of the window with as long a part of the window before. A percentile
    leads to the calls that took longer.
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
            behind=Behind("logs", view),
        ),
        Card(
            "Error rate",
            fmt.percent(of.error_rate(now)),
            fmt.points(of.error_rate(finished), of.error_rate(before)),
            good="down",
            help=f"{fmt.exact(now.error_count)} failed, {fmt.exact(now.cancelled_count)} cancelled of "
            f"{fmt.exact(now.request_count)}. The change is in percentage points.",
            course=draw(of.error_rate, 0),
            behind=Behind("logs", view.filtered("outcome", "error")),
        ),
        *(
            _duration_card(label, number, summary, draw(number), _slower(view, key, number(now)))
            for label, key, number in _DURATIONS
        ),
        Card(
            "Cost",
            fmt.cost(now.cost_nano_usd, now.priced_count, now.unpriced_count),
            fmt.change(of.known_cost(finished), of.known_cost(before)),
            help=_explain_cost(now),
            course=draw(of.known_cost, 0),
            note=fmt.unpriced_share(now.priced_count, now.unpriced_count),
            behind=Behind("analytics", view, report="expensive-calls"),
        ),
    ])  # fmt: skip


_DURATIONS: Final[Sequence[tuple[str, str, Callable[[Metrics], float | None]]]] = (
    ("Latency p50", "latency", of.p50_latency),
    ("Latency p95", "latency", of.p95_latency),
    ("First token p50", "ttft", of.first_token),
)
"""Cards of durations: their labels, the filters of the calls behind them, and what they show."""


def _slower(view: View, key: str, value_s: float | None) -> Behind:
    """Return where the calls are that succeeded and took as long as this, or longer."""
    succeeded = view.filtered("outcome", "success")
    return Behind("logs", succeeded if value_s is None else succeeded.filtered(key, f"{value_s:.3f}.."))


def _duration_card(
    label: str,
    number: Callable[[Metrics], float | None],
    summary: GetSummaryResponse,
    course: Sequence[float | None],
    behind: Behind,
) -> Card:
    return Card(
        label,
        fmt.duration(number(summary.current)),
        fmt.change(number(summary.finished), number(summary.previous)),
        good="down",
        help="Of calls that succeeded. Percentiles are accurate to 1 %.",
        course=course,
        behind=behind,
    )


def _explain_cost(now: Metrics) -> str:
    known = f"{fmt.exact(now.priced_count)} of {fmt.exact(now.request_count)} calls have a known price"
    if not now.unpriced_count:
        return f"{known}."
    return (
        f"{known}; {fmt.unpriced_share(now.priced_count, now.unpriced_count)}: what they cost is not counted."
    )
