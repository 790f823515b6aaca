"""Numbers that leave the charts: as tables, and as CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

from llm_observe.v1 import analytics_service_pb2 as pb

from streamlit_app.components.chart_data import step_rows
from streamlit_app.components.charts import Step
from streamlit_app.panels.breakdown import DIMENSIONS, breakdown_csv
from tests.support.ui.sample import NOW

METRICS = pb.Metrics(
    request_count=3,
    success_count=1,
    error_count=2,
    cost_nano_usd=1_500_000_000,
    priced_count=1,
    unpriced_count=2,
)
METRICS.latency.p50.FromTimedelta(timedelta(milliseconds=840))
UNKNOWN = pb.Metrics(request_count=1, success_count=1, unpriced_count=1)


def step(number: int, metrics: pb.Metrics | None) -> Step:
    start = NOW + timedelta(minutes=number)
    return Step(start, start + timedelta(minutes=1), metrics, is_finished=True)


def test_steps_are_rows_newest_first_and_unknown_is_not_zero():
    rows = step_rows([step(0, METRICS), step(1, None), step(2, UNKNOWN)], {"openai": [step(0, METRICS)]})
    assert [row["From"] for row in rows] == [NOW + timedelta(minutes=number) for number in (2, 1, 0)]
    assert [row["Requests"] for row in rows] == [1, 0, 3]
    assert [row["Requests: openai"] for row in rows] == [0, 0, 3]
    assert [row.get("p50") for row in rows] == [None, None, 840]
    assert [row.get("Cost") for row in rows] == [None, None, 1.5]
    released = step_rows([step(0, METRICS), step(1, None)], {}, {NOW: "v2"})
    assert [row["New release"] for row in released] == [None, "v2"]


def test_a_breakdown_is_csv_that_no_spreadsheet_runs():
    groups = ["openai", "=cmd()", "@x", ""]
    answer = pb.QueryBreakdownResponse(
        rows=[pb.BreakdownRow(group=group, metrics=METRICS) for group in groups]
    )
    answer.rows[0].metrics.CopyFrom(UNKNOWN)
    for dimension, title in DIMENSIONS.items():
        rows = list(csv.DictReader(io.StringIO(breakdown_csv(dimension, answer).decode())))
        assert [row[title.lower()] for row in rows] == ["openai", "'=cmd()", "'@x", ""]
        assert [row["p50_latency_us"] for row in rows] == ["", "840000", "840000", "840000"]
        assert [row["cost_nano_usd"] for row in rows] == ["", *["1500000000"] * 3]
