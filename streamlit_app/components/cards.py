"""Cards: one number each, with its change against the window before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import streamlit as st

from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Sequence


class Card(NamedTuple):
    """One number. ``good`` says which way a change is good news."""

    label: str
    value: str
    change: str | None = None
    good: Literal["up", "down", "neither"] = "neither"
    help: str = ""


_DELTA_COLORS: Final[dict[str, Literal["normal", "inverse", "off"]]] = {
    "up": "normal",
    "down": "inverse",
    "neither": "off",
}


def show_cards(cards: Sequence[Card], *, per_row: int = 4) -> None:
    """Show cards in rows."""
    for begin in range(0, len(cards), per_row):
        for place, card in zip(st.columns(per_row), cards[begin : begin + per_row], strict=False):
            place.metric(
                literal(card.label),
                card.value,
                card.change,
                delta_color=_DELTA_COLORS[card.good],
                border=True,
                help=literal(card.help) or None,
            )
