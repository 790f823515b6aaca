"""What each page shows of a server that answers late: all of it, or what it had before, or an error."""

from __future__ import annotations

import pytest

from tests.support.ui.app import UNHURRIED_S, choose_timeout, page
from tests.support.ui.operations_sample import serve_operations
from tests.support.ui.sample_chats import conversation_id, serve_chats
from tests.support.ui.sample_logs import TRACE_ID, log_answers

LATE_S = 0.3
HURRIED_S = "0.1"
PAGES = [
    ("dashboard", {}),
    ("logs", {}),
    ("analytics", {}),
    ("trace", {"trace": TRACE_ID}),
    ("chat", {"conversation": conversation_id(0)}),
    ("conversations", {"conversation": conversation_id(0)}),
    ("operations", {}),
]


@pytest.fixture
def whole(connected):
    """A server that has something for every page."""
    serve_operations(connected)
    serve_chats(connected)
    connected.answers |= log_answers()
    return connected


def said(app) -> list[str]:
    """Return what a page shows beside the state of its connection."""
    kinds = (app.title, app.header, app.subheader, app.markdown, app.metric)
    return [str(element.value) for kind in kinds for element in kind]


def told(app) -> str:
    return " ".join(element.value for kind in (app.warning, app.error) for element in kind)


@pytest.mark.parametrize(("name", "query"), PAGES, ids=[name for name, _ in PAGES])
def test_a_slow_server_is_waited_for_and_told_of_once_it_is_too_slow(name, query, whole, monkeypatch):
    quick = said(page(name, **query).run())
    whole.delay_s = LATE_S
    slow = page(name, **query).run()
    assert not slow.exception
    assert said(slow) == quick
    assert not told(slow)

    choose_timeout(monkeypatch, HURRIED_S)
    slow.run()
    assert not slow.exception
    assert "No answer from" in told(slow).replace("\\", "")
    assert said(slow)[: len(quick)] == quick
    first_visit = page(name, **query).run()
    assert not first_visit.exception
    assert told(first_visit).replace("\\", "").count("No answer from") == 1
    assert any(button.label == "Retry" for button in first_visit.button)

    choose_timeout(monkeypatch, UNHURRIED_S)
    assert said(slow.run()) == quick
    assert not told(slow)
