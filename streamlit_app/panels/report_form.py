"""The parameters of a report as widgets, kept in the URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import report_service_pb2 as pb

from streamlit_app.components.safe_text import literal
from streamlit_app.state.questions import set_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBERS: Final = frozenset({pb.PARAMETER_TYPE_INTEGER, pb.PARAMETER_TYPE_NUMBER})
_DEPENDENT: Final = {"metadata_key": ("dimension", "metadata")}
"""Parameters that matter only where another one has a value."""
_MAX_TEXT_CHARS: Final = 200
_WIDTH_PX: Final = 190
_LABELS: Final = {"dimension": "Group by", "limit": "Rows at most", "min_latency_us": "At least (µs)"}


def show_parameters(report: pb.Report, values: Mapping[str, str]) -> None:
    """Show a widget for each parameter that matters; a change is written to the URL."""
    shown = [each for each in report.parameters if _matters(each.name, values)]
    if not shown:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="parameters"):
        for parameter in shown:
            _show(report.name, parameter, values[parameter.name])


def words(text: str) -> str:
    """Return the name of a parameter, a value or a column for people: ``hour of day``."""
    return text.replace("_", " ")


def title_of(text: str) -> str:
    """Return it as a title: ``Hour of day``."""
    return words(text).capitalize()


def _matters(name: str, values: Mapping[str, str]) -> bool:
    on, value = _DEPENDENT.get(name, ("", ""))
    return not on or values.get(on) == value


def _show(report: str, parameter: pb.ReportParameter, value: str) -> None:
    key = f"parameter_{report}_{parameter.name}"
    label = _LABELS.get(parameter.name) or title_of(parameter.name)
    hint = parameter.description
    args = (key, parameter.name, parameter.default_value)
    if parameter.allowed_values:
        options = list(parameter.allowed_values)
        st.session_state[key] = value if value in options else parameter.default_value
        st.selectbox(
            literal(label),
            options,
            format_func=words,
            key=key,
            help=literal(hint),
            width=_WIDTH_PX,
            on_change=_keep,
            args=args,
        )
    elif parameter.type in _NUMBERS:
        st.session_state[key] = _number(value, parameter)
        st.number_input(
            literal(label), key=key, help=literal(hint), width=_WIDTH_PX, step=1, on_change=_keep, args=args
        )
    else:
        st.session_state[key] = value[:_MAX_TEXT_CHARS]
        st.text_input(
            literal(label),
            key=key,
            help=literal(hint),
            width=_WIDTH_PX,
            max_chars=_MAX_TEXT_CHARS,
            on_change=_keep,
            args=args,
        )


def _number(value: str, parameter: pb.ReportParameter) -> int:
    for text in (value, parameter.default_value):
        try:
            return int(float(text))
        except (ValueError, OverflowError):
            continue
    return 0


def _keep(key: str, name: str, default: str) -> None:
    value = st.session_state[key]
    set_parameter(name, default if value is None else str(value), default)
