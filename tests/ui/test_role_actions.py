"""Whatever roles a visitor has: no page asks for what they do not open, nor offers what they do not allow.

What roles a call needs is the server's own table.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from llm_observe.v1 import admin_service_pb2 as admin
from streamlit.testing.v1 import AppTest

from server.rpc.auth import roles_for
from streamlit_app.data.analytics import export_csv, to_query
from streamlit_app.data.caller import known_caller
from streamlit_app.pages import ENTRIES
from streamlit_app.state.view import View
from tests.support.ui.app import ROOT
from tests.support.ui.operations_sample import serve_operations
from tests.support.ui.sample import NOW
from tests.support.ui.sample_chats import conversation_id, serve_chats
from tests.support.ui.sample_logs import TRACE_ID, logs

PLACES = [
    ("dashboard", {}),
    ("logs", {"log": logs()[0].log_id}),
    ("analytics", {"report": "cost_by_user"}),
    ("analytics", {"tab": "sql"}),
    ("trace", {"trace": TRACE_ID}),
    ("chat", {"conversation": conversation_id(0)}),
    ("conversations", {"conversation": conversation_id(0)}),
    *(("operations", {"tab": tab}) for tab in ("delivery", "alerts", "storage", "keys")),
]
MAX_CLICKS = 8


def roles_of(page: str) -> set[str]:
    return {*next(entry.roles for entry in ENTRIES if entry.name == page), "admin"}


CROSSINGS = [
    pytest.param(page, query, role, id="-".join([page, *query.values(), role]))
    for page, query in PLACES
    for role in ("read", "chat")
    if role in roles_of(page)
]
ADMIN_ACTIONS = {"Replay all 8", "Discard all 8", "New rule", "New budget", "Export now", "New key"}
CHAT_ACTIONS = {"Rename", "Complete", "Cancel", "Delete"}


@pytest.fixture
def asked(connected, request) -> Iterator[list[str]]:
    """What pages ask of a server that has everything, with a key of some roles."""
    serve_operations(connected)
    serve_chats(connected)
    held = request.getfixturevalue("role")
    connected.answers["AdminService.GetCaller"] = admin.GetCallerResponse(
        project=admin.Project(project_id="shop"),
        roles=[admin.ApiKeyRole.Value(f"API_KEY_ROLE_{held.upper()}")],
    )
    while known_caller() is None:
        time.sleep(0.05)
    yield connected.requests
    for name, _ in connected.requests:
        allowed = roles_for(*name.split("."))
        assert not allowed or held in allowed, f"{name} needs one of {sorted(allowed)}"


def open_page(name: str, query: dict[str, str]) -> AppTest:
    """Open a page beside the others, so that links to them are shown."""
    app = AppTest.from_string(
        "from streamlit_app.pages import register\nregister()\n"
        f"from streamlit_app.views.{name} import render\nrender()",
        default_timeout=600,
    )
    app.query_params.update(query)
    return app.run()


@pytest.mark.parametrize(("page", "query", "role"), CROSSINGS)
def test_pages_ask_for_what_the_role_allows_and_link_to_what_it_opens(asked, page, query, role):
    shown = open_page(page, query)
    assert not shown.exception
    targets = {link.proto.page for link in shown.get("page_link")}
    for entry in ENTRIES:
        if entry.name in targets:
            assert role in roles_of(entry.name), entry.name
    pressed: set[str | None] = set()
    for _ in range(MAX_CLICKS):  # what they ask is looked at in the end
        button = next((one for one in shown.button if not one.disabled and one.key not in pressed), None)
        if button is None:
            break
        pressed.add(button.key)
        shown = button.click().run()
        assert not shown.exception


@pytest.mark.parametrize("role", ["read", "admin"])
def test_operations_are_offered_to_admins_alone(asked, role):
    shown = [open_page(page, query) for page, query in PLACES if page == "operations"]
    offered = {button.label for app in shown for button in app.button if not button.disabled}
    assert offered & ADMIN_ACTIONS == (ADMIN_ACTIONS if role == "admin" else set())


@pytest.mark.parametrize("role", ["read"])
def test_a_reader_takes_numbers_and_calls_away_as_csv(asked, role):
    offered = [
        button.proto.label
        for place in ("dashboard", "logs")
        for button in open_page(place, {}).get("download_button")
        if not button.proto.disabled
    ]
    assert offered == ["CSV", "CSV"]
    assert export_csv(to_query(View(), NOW), 2).count(b"\n") == 3


@pytest.mark.parametrize("role", ["read", "chat"])
def test_conversations_are_changed_by_whom_may_chat(asked, role):
    shown = open_page("conversations", {"conversation": conversation_id(0)})
    (menu,) = shown.menu_button
    offered = {option.rsplit(": ", 1)[-1].rstrip("]") for option in menu.options}
    assert offered == ({"Export", *CHAT_ACTIONS} if role == "chat" else {"Export"})


@pytest.mark.parametrize("role", ["read"])
def test_a_browser_cannot_press_what_is_disabled(asked, role):
    shown = open_page("operations", {"tab": "alerts"})
    button = next(one for one in shown.button if one.label == "New rule")
    assert button.disabled
    button.proto.disabled = False  # as a browser may tell itself
    shown = button.click().run()
    assert not shown.get("dialog")


@pytest.mark.parametrize("role", ["chat"])
def test_the_servers_state_links_to_operations_only_where_they_can_be_opened(asked, role):
    shown = AppTest.from_file(str(ROOT / "streamlit_app/main.py"), default_timeout=600).run()
    links = [link.proto for link in shown.sidebar.get("page_link")]
    assert [link.disabled for link in links if link.page == "operations"] == [True]
