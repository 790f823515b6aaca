"""Colours by meaning, for both themes. A test checks their contrast.

Providers have a colour by name, the same on every page. Red is for errors alone, orange for warnings and
cancelled calls. Percentiles are shades of one hue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from zlib import crc32

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Theme = Literal["light", "dark"]


class Palette(NamedTuple):
    """The colours of a theme."""

    background: str
    text: str
    muted: str
    grid: str
    error: str
    warning: str
    good: str
    p50: str
    p95: str
    p99: str
    ttft: str
    previous: str
    providers: Mapping[str, str]
    others: Sequence[str]


_LIGHT: Final = Palette(
    background="#ffffff", text="#1b1f2a", muted="#5c6475", grid="#e9ecf2",
    error="#d92d33", warning="#b45309", good="#15803d",
    p50="#2f4ad0", p95="#5b76f2", p99="#7286ee", ttft="#0d8577", previous="#7c8496",
    providers={
        "openai": "#0d9488", "anthropic": "#7c4fd0", "gemini": "#3b6ef0", "ollama": "#64748b",
        "mistral": "#8a6d0b", "demo": "#8d7aa8", "app": "#5f7f99",
    },
    others=("#0284c7", "#5b7c1d", "#b0408f", "#84702f", "#4a5fb0", "#0e7490"),
)  # fmt: skip
_DARK: Final = Palette(
    background="#10131a", text="#e8ebf2", muted="#9aa3b5", grid="#232936",
    error="#ff6b6e", warning="#f5a445", good="#4ade80",
    p50="#a9b8ff", p95="#7f97ff", p99="#5f76e0", ttft="#3dd6c3", previous="#6f7a90",
    providers={
        "openai": "#2cc4b1", "anthropic": "#b08af0", "gemini": "#6f9bff", "ollama": "#94a3b8",
        "mistral": "#d6b24a", "demo": "#b9a7d6", "app": "#8fb0cc",
    },
    others=("#4db5e8", "#a3c45a", "#e07cc0", "#c4ae66", "#8fa2f0", "#4fc0d4"),
)  # fmt: skip
PALETTES: Final[Mapping[Theme, Palette]] = {"light": _LIGHT, "dark": _DARK}
OUTCOMES: Final = {"success": "good", "error": "error", "cancelled": "warning"}


def palette() -> Palette:
    """Return the colours of the visitor's theme."""
    return _DARK if st.context.theme.type == "dark" else _LIGHT


def colour_of(name: str, colours: Palette) -> str:
    """Return the colour of a provider, model or other name: always the same one."""
    known = colours.providers.get(name)
    return known or colours.others[crc32(name.encode()) % len(colours.others)]


def outcome_colour(outcome: str, colours: Palette) -> str:
    """Return the colour of ``success``, ``error`` or ``cancelled``."""
    return str(getattr(colours, OUTCOMES.get(outcome, "muted")))
