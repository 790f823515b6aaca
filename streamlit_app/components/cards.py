"""Cards: one number each, with its course over the window and its change against the one before.

A card may lead to what is behind its number: style.css makes the whole of it the target of a link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import streamlit as st

from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit_app.state.view import View


class Behind(NamedTuple):
    """What a card leads to: a page, by its name in ``pages.py``, and what it shows there."""

    page: str
    view: View
    report: str = ""


class Card(NamedTuple):
    """One number. ``good`` says which way a change is good news; ``course`` is drawn as a sparkline."""

    label: str
    value: str
    change: str | None = None
    good: Literal["up", "down", "neither"] = "neither"
    help: str = ""
    course: Sequence[float | None] = ()
    note: str = ""
    """Words after the change, where there is no window before to compare with."""
    behind: Behind | None = None


_DELTA_COLORS: Final[dict[str, Literal["normal", "inverse", "off"]]] = {
    "up": "normal",
    "down": "inverse",
    "neither": "off",
}
_SMALL: Final = {"%": 1.0, "pp": 0.1}
_MIN_CARD_PX: Final = 150


def show_cards(cards: Sequence[Card]) -> None:
    """Show cards in a row; on a phone two abreast."""
    with st.grid(len(cards), min_column_width=_MIN_CARD_PX, gap="xsmall"):
        for number, card in enumerate(cards):
            if card.behind is None:
                _show_number(card)
                continue
            with st.container(height="stretch", gap=None, key=f"number_{number}"):
                _show_number(card)
                page_link(
                    f"What is behind: {card.label}",
                    card.behind.page,
                    card.behind.view,
                    report=card.behind.report,
                )


def _show_number(card: Card) -> None:
    change = card.change
    unchanged = change is None or _is_small(change)
    st.metric(
        literal(card.label),
        card.value,
        change or card.note or None,
        delta_color="off" if unchanged else _DELTA_COLORS[card.good],
        delta_arrow="off" if unchanged else "auto",
        delta_description="vs before" if change else None,
        border=True,
        height="stretch",
        help=literal(card.help) or None,
        chart_data=_sparkline(card.course),
        chart_type="area",
    )


def _is_small(change: str) -> bool:
    """Return whether a change, ``+0.3 %`` or ``-0.1 pp``, is too small to be good or bad news."""
    number, unit = change.split()[-2:]
    return abs(float(number.replace(",", ""))) < _SMALL.get(unit, 0)


def _sparkline(course: Sequence[float | None]) -> list[float] | None:
    known = [value for value in course if value is not None]
    return known if len(known) > 1 else None
