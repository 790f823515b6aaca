"""Which page of the list of logs is shown, as it stands in the URL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zlib import crc32

import streamlit as st

if TYPE_CHECKING:
    from streamlit_app.state.view import View

PARAMETER: Final = "page"


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of logs: the server's token, and the time at which the first page was read.

    The token is good for the window as it was then: a window that ends now would move on.
    """

    token: str
    read_time: datetime

    @classmethod
    def from_url(cls, view: View) -> LogPage | None:
        """Return the page in the URL; None for the first one, also if the page is of another view."""
        view_hash, _, rest = st.query_params.get(PARAMETER, "").partition(".")
        seconds, _, token = rest.partition(".")
        if view_hash != _hash(view) or not token:
            return None
        try:
            return cls(token, datetime.fromtimestamp(float(int(seconds, 16)) / 1000, UTC))
        except (ValueError, OverflowError, OSError):
            return None

    def to_parameter(self, view: View) -> str:
        """Return the value of the URL's parameter."""
        return f"{_hash(view)}.{int(self.read_time.timestamp() * 1000):x}.{self.token}"


def go_to_page(view: View, page: LogPage | None) -> None:
    """Write a page to the URL; None for the first one. For callbacks."""
    if page is None:
        st.query_params.pop(PARAMETER, None)
    else:
        st.query_params[PARAMETER] = page.to_parameter(view)


def _hash(view: View) -> str:
    return f"{crc32(repr(sorted(view.to_query().items())).encode()):08x}"
