"""Choosing the model that is asked, and how: system prompt and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import streamlit as st
from llm_observe.v1.chat_service_pb2 import ChatParameters

from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.chat_service_pb2 import ProviderModels

_OTHER: Final = ":material/edit: Another model"
_MAX_PROMPT_CHARS: Final = 100_000
_MAX_STOP_SEQUENCES: Final = 4
_MAX_STOP_CHARS: Final = 100
_MAX_TOKENS: Final = 1_000_000
_MAX_MODEL_CHARS: Final = 200


class Model(NamedTuple):
    """A model of a provider. In URLs it is ``provider/model``."""

    provider: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Model | None:
        """Return the model of a URL; None if it names none."""
        provider, _, name = text.partition("/")
        return cls(provider, name[:_MAX_MODEL_CHARS]) if provider and name else None

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"

    @property
    def label(self) -> str:
        """The model as people read it."""
        return f"{self.provider} · {self.name}"


def configured_models(known: Sequence[ProviderModels]) -> list[Model]:
    """Return the suggested models of the providers that can be asked; real ones before the demo."""
    found = [Model(entry.provider, name) for entry in known if entry.configured for name in entry.models]
    return sorted(found, key=lambda model: model.provider == "demo")


def resolve_model(wanted: Sequence[Model | None], known: Sequence[ProviderModels]) -> Model | None:
    """Return the first wanted model whose provider can be asked, else the first suggested one."""
    ready = {entry.provider for entry in known if entry.configured}
    found = [model for model in wanted if model and model.provider in ready]
    return next(iter([*found, *configured_models(known)]), None)


def choose_model(
    chosen: Model | None, known: Sequence[ProviderModels], *, parameter: str, label: str
) -> None:
    """Show the chooser; what is chosen goes to a parameter of the URL.

    Providers that the server has no key for are grey, and name the setting.
    """
    options: dict[str, Model | str] = {
        f"{':material/check: ' if model == chosen else ''}{literal(model.label)}": model
        for model in configured_models(known)
    }
    options[_OTHER] = ""
    for entry in known:
        if not entry.configured:
            words = f"{entry.provider} · set {entry.required_setting}"
            options[f":gray[:material/lock: {literal(words)}]"] = entry.required_setting
    picked = st.menu_button(
        literal(chosen.label if chosen else "No model"),
        list(options),
        key=f"choose_{parameter}",
        icon=":material/neurology:",
        help=label,
    )
    if picked is None:
        return
    found = options.get(picked, "")
    if isinstance(found, Model):
        _choose(parameter, found)
    elif found:
        st.toast(f"Set {literal(found)} where the server runs, and restart it.", icon=":material/lock:")
    else:
        _ask_for_model(sorted({model.provider for model in configured_models(known)}), parameter)


def _choose(parameter: str, model: Model) -> None:
    st.query_params[parameter] = str(model)
    st.rerun()


@st.dialog("Another model")
def _ask_for_model(providers: Sequence[str], parameter: str) -> None:
    with st.form("other_model", border=False):
        provider = st.selectbox("Provider", providers)
        name = st.text_input("Model, as the provider names it", max_chars=_MAX_MODEL_CHARS).strip()
        if st.form_submit_button("Use it", type="primary") and provider and name:
            _choose(parameter, Model(provider, name))


class Instructions(NamedTuple):
    """How questions are to be answered."""

    system_prompt: str
    parameters: ChatParameters


def choose_instructions() -> Instructions:
    """Show the button that opens system prompt and parameters; return them. They are kept for the session."""
    state = st.session_state
    changed = sum(bool(state.get(key)) for key in ("system_prompt", "max_tokens", "stop_sequences"))
    changed += sum(state.get(key) is not None for key in ("temperature", "top_p"))
    with st.popover(
        literal(str(changed)) if changed else "", icon=":material/tune:", help="System prompt and parameters"
    ):
        return _instructions()


def _instructions() -> Instructions:
    prompt = st.text_area(
        "System prompt",
        key="system_prompt",
        height=140,
        width=400,
        max_chars=_MAX_PROMPT_CHARS,
        placeholder="You are a helpful assistant",
        persist_state="session",
    )
    left, right = st.columns(2)
    with left:
        temperature = _number("Temperature", "temperature", 0.0, 2.0, 0.1)
        most = st.number_input(
            "Max tokens",
            1,
            _MAX_TOKENS,
            None,
            key="max_tokens",
            placeholder="provider's own",
            persist_state="session",
        )
    with right:
        top_p = _number("Top p", "top_p", 0.01, 1.0, 0.05)
        stops = st.multiselect(
            "Stop at",
            [],
            key="stop_sequences",
            accept_new_options=True,
            max_selections=_MAX_STOP_SEQUENCES,
            placeholder="text",
            persist_state="session",
        )
    parameters = ChatParameters(stop_sequences=[text[:_MAX_STOP_CHARS] for text in stops])
    if temperature is not None:
        parameters.temperature = temperature
    if top_p is not None:
        parameters.top_p = top_p
    if most is not None:
        parameters.max_output_tokens = most
    return Instructions(prompt, parameters)


def _number(label: str, key: str, least: float, most: float, step: float) -> float | None:
    return st.number_input(
        literal(label),
        least,
        most,
        None,
        step=step,
        key=key,
        placeholder="provider's own",
        persist_state="session",
    )
