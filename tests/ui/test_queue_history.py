"""The history of the queue is bounded, and has gaps where nobody looked."""

from __future__ import annotations

from datetime import UTC, timedelta

from llm_observe.v1.health_service_pb2 import QueueHealth

from streamlit_app.colours import PALETTES
from streamlit_app.components.charts import Look
from streamlit_app.data.queue_history import KEPT, QueueHistory
from streamlit_app.panels.operations.queue import history_rows
from streamlit_app.state.window import Bounds
from tests.support.ui.sample import NOW

LOOK = Look(Bounds(NOW - KEPT, NOW, KEPT), PALETTES["light"], UTC, "")


def history_at(*seconds_ago: float) -> QueueHistory:
    history = QueueHistory()
    for ago in seconds_ago:
        history.add(QueueHealth(depth=int(ago)), NOW - timedelta(seconds=ago))
    return history


def test_it_holds_an_hour_however_often_it_is_looked_at():
    history = history_at(*(second / 10 for second in range(2 * 36_000, 0, -1)))
    samples = history.last_hour(NOW)
    assert samples[0].time >= NOW - KEPT
    assert samples[-1].time >= NOW - timedelta(seconds=10)
    assert len(samples) <= 720


def test_two_visitors_at_the_same_time_are_one_sample():
    assert len(history_at(30, 29, 28, 20).last_hour(NOW)) == 2


def test_no_line_crosses_a_gap():
    rows = history_rows(history_at(600, 585, 100, 85).last_hour(NOW), LOOK)
    runs = {run: [str(row["at"]) for row in rows if row["run"] == run] for run in (0, 1)}
    assert max(runs[0]) == str(NOW - timedelta(seconds=525))  # it speaks for a minute
    assert min(runs[1]) == str(NOW - timedelta(seconds=100))
