"""What pages offer for the roles of the app's key, and of the visitor."""

from __future__ import annotations

import itertools

import pytest
import streamlit as st
from llm_observe.v1 import admin_service_pb2 as admin
from streamlit.testing.v1 import AppTest

from server.rpc.errors import Unauthenticated
from streamlit_app import login
from streamlit_app.data.connection import forget_connection
from streamlit_app.pages import ENTRIES, _is_there
from streamlit_app.roles import may, why_not
from streamlit_app.settings import AppSettings
from tests.support.ui.app import ROOT

ROLES = ("ingest", "read", "chat", "admin")
SETS = [roles for size in range(1, 5) for roles in itertools.combinations(ROLES, size)]
NOW_S = 1_800_000_000.0


def caller(*roles: str) -> admin.GetCallerResponse:
    return admin.GetCallerResponse(
        project=admin.Project(project_id="shop"),
        roles=[admin.ApiKeyRole.Value(f"API_KEY_ROLE_{role.upper()}") for role in roles],
    )


def app() -> AppTest:
    return AppTest.from_file(str(ROOT / "streamlit_app/main.py"), default_timeout=120)


@pytest.mark.parametrize("held", SETS, ids="+".join)
def test_a_key_may_what_its_roles_say_and_admin_everything(connected, held):
    connected.answers["AdminService.GetCaller"] = caller(*held)
    for role in ROLES:
        expected = role in held or "admin" in held
        assert may(role) is expected
        assert (why_not(role) is None) is expected
    assert may("read", "chat") is not {"read", "chat", "admin"}.isdisjoint(held)


@pytest.mark.parametrize("held", SETS, ids="+".join)
def test_the_navigation_offers_what_the_key_may_open(connected, held):
    connected.answers["AdminService.GetCaller"] = caller(*held)
    shown = app().run()
    assert not shown.exception
    links = {link.proto.label: link.proto for link in shown.sidebar.get("page_link")}
    for entry in ENTRIES:
        if not entry.hidden and _is_there(entry):
            allowed = "admin" in held or not set(entry.roles).isdisjoint(held)
            assert links[entry.title].disabled is not allowed, entry.name
            assert bool(links[entry.title].help) is not allowed


def test_a_page_that_the_key_does_not_open_says_what_to_do(connected):
    connected.answers["AdminService.GetCaller"] = caller("chat")
    shown = app().run()
    assert "keys create" in shown.info[0].value.replace("\\", "")
    assert not connected.requests_to("AnalyticsService.GetSummary")


def test_a_key_of_another_role_still_names_its_project(connected):
    connected.answers["AdminService.GetCaller"] = caller("read")
    captions = [caption.value for caption in app().run().sidebar.caption]
    assert captions[-1].startswith("queue 0 · shop")


def test_an_app_without_a_key_says_how_to_make_one(connected):
    connected.answers["AdminService.GetCaller"] = Unauthenticated("no")
    shown = app().run()
    assert "LLM_OBSERVE_UI_API_KEY" in shown.error[0].value
    assert not connected.requests_to("AnalyticsService.GetSummary")


def test_nothing_is_closed_while_the_roles_are_not_known(connected):
    del connected.answers["AdminService.GetCaller"]  # an older server
    assert may("admin")
    assert not app().run().info


def test_the_roles_are_asked_for_once_by_all_sessions(connected):
    for _ in range(3):
        may("read")
    assert len(connected.requests_to("AdminService.GetCaller")) == 1


@pytest.mark.parametrize(
    ("users", "email", "roles"),
    [
        ("", "a@x.org", None),
        ("", "", None),
        ("a@x.org", "a@x.org", None),
        ("A@X.org", "a@x.ORG", None),
        ("a@x.org", "b@x.org", set()),
        ("a@x.org", "", set()),
        ("@x.org", "a@x.org", None),
        ("@x.org", "a@y.x.org", set()),
        ("@x.org", "a@notx.org", set()),
        ("@x.org=read", "a@x.org", {"read"}),
        ("@x.org=read, a@x.org = admin", "a@x.org", {"admin"}),
        ("a@x.org=read+chat,", "a@x.org", {"read", "chat"}),
    ],
)
def test_users_have_the_roles_that_the_setting_says(users, email, roles):
    assert AppSettings(LLM_OBSERVE_UI_USERS=users).roles_of(email) == roles


@pytest.mark.parametrize("users", ["ada", "a@x.org=", "a@x.org=root", "a@x.org=read+", "a@x.org=ingest"])
def test_malformed_users_are_refused_at_start(users):
    with pytest.raises(ValueError, match="each user is an email address"):
        AppSettings(LLM_OBSERVE_UI_USERS=users)


@pytest.mark.parametrize(("age_s", "over"), [(-5, False), (0, False), (3_600, False), (3_601, True)])
def test_a_session_lasts_as_long_as_the_setting_says(age_s, over):
    assert login.is_over(NOW_S - age_s, NOW_S, 3_600) is over


def test_login_without_a_provider_says_what_to_add(connected, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_UI_LOGIN", "true")
    forget_connection()
    shown = app().run()
    assert "[auth]" in shown.error[0].value
    assert connected.requests == []


def test_a_visitor_is_asked_to_sign_in(connected, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_UI_LOGIN", "true")
    forget_connection()
    asked = app()
    asked.secrets["auth"] = {"client_id": "x"}
    monkeypatch.setattr(type(st.user), "is_logged_in", False, raising=False)
    shown = asked.run()
    assert [button.label for button in shown.button] == ["Sign in"]
    assert connected.requests == []
