"""What the dashboard asks the server for, and in which order."""

from __future__ import annotations

import pytest
from llm_observe.v1 import analytics_service_pb2 as pb

from tests.support.ui.app import UNHURRIED_S, choose_timeout, page

ANALYTICS = "AnalyticsService."


def asked(fake) -> list[str]:
    return [name.removeprefix(ANALYTICS) for name, _ in fake.requests if name.startswith(ANALYTICS)]


def breakdowns_by(fake, dimension: int) -> list[pb.QueryBreakdownRequest]:
    requests = fake.requests_to(f"{ANALYTICS}QueryBreakdown")
    return [request for request in requests if request.dimension == dimension]


def test_what_the_cards_show_is_asked_for_before_anything_else(connected):
    app = page("dashboard").run()
    assert not app.exception
    assert set(asked(connected)[:2]) == {"GetSummary", "QueryTimeSeries"}
    first = connected.requests_to(f"{ANALYTICS}QueryTimeSeries")[0]
    assert not first.group_by
    assert len(asked(connected)) > 6


def test_nothing_is_asked_for_twice(connected):
    page("dashboard").run()
    requests = [(name, request.SerializeToString(deterministic=True)) for name, request in connected.requests]
    assert len(requests) == len(set(requests))
    # This window and the one before: the providers of the errors are those of the table.
    assert len(breakdowns_by(connected, pb.DIMENSION_PROVIDER)) == 2


def test_without_failed_calls_nobody_asks_for_errors(connected):
    answer = connected.answers[f"{ANALYTICS}GetSummary"]

    def without_errors(request):
        summary = answer(request)
        summary.current.error_count = 0
        return summary

    connected.answers[f"{ANALYTICS}GetSummary"] = without_errors
    app = page("dashboard").run()
    assert not app.exception
    assert "ListErrors" not in asked(connected)
    assert breakdowns_by(connected, pb.DIMENSION_ERROR_CODE) == []


def test_a_server_that_hangs_is_asked_once_for_the_page(connected, monkeypatch):
    app = page("dashboard").run()
    tables = len(app.dataframe)
    connected.hang()
    choose_timeout(monkeypatch, "0.2")
    connected.requests.clear()
    app.run()
    assert set(asked(connected)) <= {"GetSummary", "QueryTimeSeries"}
    assert len(app.dataframe) == tables  # with the last good answers
    connected.resume()
    choose_timeout(monkeypatch, UNHURRIED_S)


@pytest.mark.parametrize("delay_s", [0.0, 0.4])
def test_placeholders_are_gone_when_the_answers_are_there(delay_s, connected):
    connected.delay_s = delay_s
    app = page("dashboard").run()
    assert not app.exception
    assert not app.get("skeleton")
    assert app.metric
