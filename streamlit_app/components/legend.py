"""What the colours of a chart mean, in words of the page: a legend of Vega is cut where it is too wide."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streamlit_app import format as fmt
from streamlit_app.components.safe_text import html_text

if TYPE_CHECKING:
    from collections.abc import Sequence


class Part(NamedTuple):
    """A part of a whole, and its colour."""

    name: str
    colour: str
    amount: int = 0


def legend_html(parts: Sequence[Part], note: str = "") -> str:
    """Return a legend, for ``st.html``; ``note`` is what follows the parts."""
    entries = "".join(
        f"<span><i style='background: {part.colour}'></i>{html_text(part.name or 'none')}</span>"
        for part in parts
    )
    ending = f"<span>{html_text(note)}</span>" if note else ""
    return f"<div class='legend'>{entries}{ending}</div>"


def shares_html(parts: Sequence[Part], description: str) -> str:
    """Return a thin bar that the parts share, for ``st.html``; a part that is pointed at says what it is."""
    total = sum(part.amount for part in parts)
    entries = "".join(_share(part, part.amount / total) for part in parts)
    return f"<div class='shares' role='img' aria-label='{html_text(description)}'>{entries}</div>"


def _share(part: Part, share: float) -> str:
    words = html_text(f"{part.name}: {fmt.exact(part.amount)} ({fmt.percent(share)})")
    return f"<i style='background: {part.colour}; flex-grow: {share:.6f}' title='{words}'></i>"
