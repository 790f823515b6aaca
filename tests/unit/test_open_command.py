"""`llm-observe open`: the dashboard's address, and a browser where it answers."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from stack.cli.main import cli
from stack.errors import StackError


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """The addresses that a browser was opened with."""
    addresses: list[str] = []
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path))
    monkeypatch.setattr("stack.cli.browser.webbrowser.open", addresses.append)
    return addresses


def test_a_dashboard_that_answers_is_opened(opened, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_UI_PORT", "5005")
    monkeypatch.setattr("stack.cli.browser.ui_answers", lambda address: address == "127.0.0.1:5005")
    assert CliRunner().invoke(cli, ["open"]).stdout == "http://127.0.0.1:5005\n"
    assert opened == ["http://127.0.0.1:5005"]


def test_one_that_does_not_answer_is_not(opened, monkeypatch, unused_tcp_port):
    monkeypatch.setenv("LLM_OBSERVE_UI_PORT", str(unused_tcp_port))
    done = CliRunner().invoke(cli, ["open"])
    assert isinstance(done.exception, StackError)
    assert (
        str(done.exception) == f"no answer from http://127.0.0.1:{unused_tcp_port}: see `llm-observe status`"
    )
    assert opened == []


def test_the_usual_port_is_not_tried(opened, tmp_path):
    done = CliRunner().invoke(cli, ["open"])
    assert f"nothing runs from {tmp_path}" in str(done.exception)
    assert opened == []
