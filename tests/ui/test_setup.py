"""The page Setup: what it says can be copied, is for this server, and holds no key."""

from __future__ import annotations

import re

import pytest

from streamlit_app.data.connection import forget_connection
from streamlit_app.settings import AppSettings
from streamlit_app.setup_recipes import KEY, collector, environment, recipes
from tests.support.repository import ROOT
from tests.support.ui.app import page

ENDPOINT = "http://observe.example:4318"
RECIPES = recipes(ENDPOINT)
TRIED = (ROOT / "tests/emitters/test_emitters.py").read_text()


def test_there_are_ten_emitters_and_more():
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES) >= 10


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_is_right(recipe):
    compile(recipe.code, recipe.name, "exec")
    assert ENDPOINT in (recipe.environment or environment(ENDPOINT))
    assert KEY in (recipe.environment or environment(ENDPOINT))
    for package in recipe.packages:
        assert f'"{package}"' in TRIED, f"tests/emitters does not run {package}"


def test_the_collector_reads_its_key_from_the_environment():
    assert ENDPOINT in collector(ENDPOINT)
    assert "${env:LLM_OBSERVE_API_KEY}" in collector(ENDPOINT)


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "http://127.0.0.1:4318"),
        ({"LLM_OBSERVE_OTLP_PORT": "14318"}, "http://127.0.0.1:14318"),
        ({"LLM_OBSERVE_SERVER": "observe.example:443"}, "http://observe.example:4318"),
    ],
)
def test_the_address_is_the_servers(variables, endpoint):
    assert AppSettings(**{"LLM_OBSERVE_OTLP_PORT": "4318", **variables}).otlp_endpoint == endpoint


@pytest.mark.parametrize("name", ["", "Collector", "no such emitter", *(recipe.name for recipe in RECIPES)])
def test_the_page_shows_what_is_chosen_and_never_the_apps_key(name, connected, monkeypatch):
    key = "lo_" + "k3" * 12
    monkeypatch.setenv("LLM_OBSERVE_UI_API_KEY", key)
    monkeypatch.setenv("LLM_OBSERVE_OTLP_PORT", "14318")
    forget_connection()
    app = page("setup", emitter=name).run()
    assert not app.exception
    shown = " ".join(str(each.value) for kind in (app.code, app.markdown, app.caption) for each in kind)
    assert "http://127.0.0.1:14318" in re.sub(r"\\", "", shown)
    assert key not in shown
    known = next((recipe for recipe in RECIPES if recipe.name == name), None)
    assert len(app.code) == (3 if known else 1)
    assert not known or known.code in shown
    assert not connected.requests


def test_another_choice_is_kept_in_the_address(connected):
    app = page("setup").run()
    app.selectbox("emitter").select("Logfire").run()
    assert app.query_params["emitter"] in ("Logfire", ["Logfire"])
    assert "logfire.configure" in app.code[2].value
