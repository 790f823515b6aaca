"""While the server does not answer, the dashboard keeps its last numbers and marks them as stale."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import streamlit as st
from llm_observe.v1 import analytics_service_pb2 as pb
from streamlit.testing.v1 import AppTest

from streamlit_app.settings import AppSettings

MAIN = Path(__file__).parent.parent.parent / "streamlit_app" / "main.py"
ENOUGH_S = "60"
"""A timeout that no healthy call reaches, even on a busy machine."""


ANSWERS = {
    "GetSummary": (
        pb.GetSummaryRequest,
        pb.GetSummaryResponse(current=pb.Metrics(request_count=7, success_count=7)),
    ),
    "QueryTimeSeries": (pb.QueryTimeSeriesRequest, pb.QueryTimeSeriesResponse()),
    "QueryBreakdown": (pb.QueryBreakdownRequest, pb.QueryBreakdownResponse()),
    "ListErrors": (pb.ListErrorsRequest, pb.ListErrorsResponse()),
}


@pytest.fixture
def running():
    """While this event is clear, the server hangs like a suspended process."""
    event = threading.Event()
    event.set()
    yield event
    event.set()


@pytest.fixture
def app(running, monkeypatch):
    def handler(request_type, answer):
        def method(_request, _context):
            running.wait()
            return answer

        return grpc.unary_unary_rpc_method_handler(
            method, request_type.FromString, type(answer).SerializeToString
        )

    server = grpc.server(ThreadPoolExecutor(32))
    methods = {name: handler(*answer) for name, answer in ANSWERS.items()}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("llm_observe.v1.AnalyticsService", methods)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setenv("LLM_OBSERVE_GRPC_PORT", str(port))
    yield AppTest.from_file(str(MAIN), default_timeout=120)
    st.cache_resource.clear()
    running.set()
    server.stop(None).wait()


@pytest.fixture
def set_timeout(monkeypatch):
    def choose(seconds: str) -> None:
        monkeypatch.setenv("LLM_OBSERVE_UI_TIMEOUT_S", seconds)
        st.cache_resource.clear()

    return choose


def requests_shown(app):
    return next(metric.value for metric in app.metric if metric.label == "Requests")


def test_a_hanging_server_leaves_the_last_numbers_with_a_warning(app, running, set_timeout):
    set_timeout(ENOUGH_S)
    app.run()
    assert requests_shown(app) == "7"
    assert not app.warning

    running.clear()
    set_timeout("0.2")
    app.run()
    assert requests_shown(app) == "7"
    (warning,) = app.warning
    assert "Stale since" in warning.value
    assert "does not answer" in warning.value.replace("\\", "")
    assert "llm-observe status" in warning.value

    running.set()
    set_timeout(ENOUGH_S)
    next(button for button in app.button if button.label == "Try now").click()
    app.run()
    assert requests_shown(app) == "7"
    assert not app.warning


def test_numbers_of_one_window_are_never_shown_for_another(app, running, set_timeout):
    set_timeout(ENOUGH_S)
    app.run()
    running.clear()
    set_timeout("0.2")
    app.query_params["window"] = "7 d"
    app.session_state["window"] = "7 d"
    app.run()
    assert not app.metric
    assert "does not answer" in app.error[0].value.replace("\\", "")


def test_the_timeout_is_shorter_than_the_refresh_period():
    """A refresh cancels the one before, and with it the error that it was about to show."""
    for timeout_s in (0.1, 3, 9.9, 10, 60, 3600):
        settings = AppSettings(timeout_s=timeout_s)
        assert settings.timeout_s < settings.refresh_s
    assert AppSettings().timeout_s < AppSettings().refresh_s
