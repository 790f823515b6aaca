"""What pages show while the server hangs, refuses a part, or has nothing."""

from __future__ import annotations

import pytest

from server.rpc.errors import QueryTookTooLong
from streamlit_app.settings import AppSettings
from tests.support.ui.app import UNHURRIED_S, choose_timeout, page

HURRIED_S = "0.2"
PAGES = ["dashboard"]


def texts(elements) -> str:
    return " ".join(element.value.replace("\\", "") for element in elements)


@pytest.mark.parametrize("name", PAGES)
def test_a_hanging_server_leaves_the_last_numbers_with_a_bar(name, connected, monkeypatch):
    app = page(name).run()
    assert not app.exception
    shown = [metric.value for metric in app.metric]
    assert shown
    assert not app.warning

    connected.hang()
    choose_timeout(monkeypatch, HURRIED_S)
    app.run()
    assert [metric.value for metric in app.metric] == shown
    assert "Stale since 15:21:04" in texts(app.warning)
    assert "No answer from" in texts(app.warning)
    assert not app.error

    connected.resume()
    choose_timeout(monkeypatch, UNHURRIED_S)
    app.button("retry").click().run()
    assert [metric.value for metric in app.metric] == shown
    assert not app.warning


@pytest.mark.parametrize("name", PAGES)
def test_a_server_that_never_answered_is_told_of_once(name, connected, monkeypatch):
    connected.hang()
    choose_timeout(monkeypatch, HURRIED_S)
    app = page(name).run()
    assert len(app.error) == 1
    assert "No answer from" in texts(app.error)
    assert not app.metric


@pytest.mark.parametrize("name", PAGES)
def test_numbers_of_one_window_are_never_shown_for_another(name, connected, monkeypatch):
    app = page(name).run()
    connected.hang()
    choose_timeout(monkeypatch, HURRIED_S)
    app.query_params["window"] = "7d"
    app.run()
    assert not app.metric
    assert app.error


@pytest.mark.parametrize("method", ["GetSummary", "QueryTimeSeries"])
def test_an_error_of_one_panel_stays_in_it(method, connected):
    connected.answers[f"AnalyticsService.{method}"] = QueryTookTooLong()
    app = page("dashboard").run()
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert "QUERY_TIMEOUT" in texts(app.caption).replace("\\", "")
    assert len(app.header) >= 2


def test_a_bug_is_told_of_without_its_text(connected, monkeypatch):
    def fail(*_args):
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("streamlit_app.views.dashboard.show_summary", fail)
    app = page("dashboard").run()
    assert not app.exception
    assert "This page failed" in texts(app.error)
    assert "secret" not in texts(app.error)


def test_the_timeout_is_shorter_than_the_refresh_period():
    """A refresh cancels the one before, and with it the error that it was about to show."""
    for timeout_s in (0.1, 3, 9.9, 10, 60, 3600):
        settings = AppSettings(timeout_s=timeout_s)
        assert settings.timeout_s < settings.refresh_s
    assert AppSettings().timeout_s == 3
    assert AppSettings().refresh_s == 15
