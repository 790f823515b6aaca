"""With login enabled, a visitor who has not logged in sees nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from streamlit_app.data.connection import forget_connection
from tests.support.waiting import WAIT_S

MAIN = Path(__file__).parent.parent.parent / "streamlit_app" / "main.py"


@pytest.fixture
def app(monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_UI_LOGIN", "true")
    forget_connection()
    yield AppTest.from_file(str(MAIN))
    forget_connection()


def test_missing_requirements_of_login_are_named(app, monkeypatch):
    monkeypatch.setattr("streamlit_app.login.find_spec", lambda name: None)
    shown = app.run(timeout=WAIT_S)
    assert "Authlib" in shown.error[0].value
    assert not shown.metric
    monkeypatch.setattr("streamlit_app.login.find_spec", lambda name: object())
    shown = app.run(timeout=WAIT_S)
    assert "[auth]" in shown.error[0].value


def test_a_visitor_is_asked_to_log_in(app, monkeypatch):
    monkeypatch.setattr("streamlit_app.login.find_spec", lambda name: object())
    app.secrets["auth"] = {"client_id": "x"}
    monkeypatch.setattr(type(st.user), "is_logged_in", False, raising=False)
    shown = app.run(timeout=WAIT_S)
    assert [button.label for button in shown.button] == ["Log in"]
    assert not shown.metric
    assert not shown.exception
