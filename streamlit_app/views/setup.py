"""Setup: how an application sends its calls here, to be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from streamlit_app.components.choices import chosen_in_url
from streamlit_app.components.header import plain_header
from streamlit_app.components.safe_text import literal
from streamlit_app.data.connection import settings
from streamlit_app.setup_recipes import KEY, collector, environment, recipes

if TYPE_CHECKING:
    from streamlit_app.setup_recipes import Recipe

_PARAMETER = "emitter"
_COLLECTOR = "Collector"
_ANY = "Any exporter of OpenTelemetry"


def render() -> None:
    """Show the page."""
    plain_header("Setup")
    endpoint, grpc = settings().otlp_endpoint, settings().target
    st.markdown(
        "Whatever your application is instrumented with, its calls appear here, each once. "
        "Point its exporter to this server:"
    )
    st.markdown(f"- OTLP over HTTP: **{literal(endpoint)}**\n- OTLP over gRPC: **{literal(grpc)}**")
    st.caption(
        f"These are the addresses as this page reaches the server; from another machine, put its name there. "
        f"{literal(KEY)} stands for an API key of the role ingest (`llm-observe keys create --role ingest`). "
        "Where no key is required, leave the header out."
    )
    known = {recipe.name: recipe for recipe in recipes(endpoint)}
    names = [_ANY, _COLLECTOR, *known]
    chosen = _choose(names)
    if chosen == _ANY:
        _code("Environment", environment(endpoint), "bash")
    elif chosen == _COLLECTOR:
        _code("Configuration of the OpenTelemetry Collector", collector(endpoint), "yaml")
    else:
        _show_recipe(known[chosen], endpoint)
    st.caption("The first call is on the Logs page a few seconds after it ended.")


def _choose(names: list[str]) -> str:
    chosen = chosen_in_url(_PARAMETER, dict(zip(names, names, strict=True)), _ANY)
    st.session_state[_PARAMETER] = chosen
    picked: str = st.selectbox("Instrumented with", names, key=_PARAMETER, on_change=_keep)
    return picked


def _keep() -> None:
    st.query_params[_PARAMETER] = st.session_state[_PARAMETER]


def _show_recipe(recipe: Recipe, endpoint: str) -> None:
    _code("Install", f"pip install {' '.join(recipe.packages)}", "bash")
    _code("Environment", recipe.environment or environment(endpoint), "bash")
    _code("At the start of the application", recipe.code, recipe.language)
    if recipe.note:
        st.info(literal(recipe.note), icon=":material/info:")


def _code(title: str, text: str, language: str) -> None:
    st.markdown(f"**{literal(title)}**")
    st.code(text, language=language, wrap_lines=True)
