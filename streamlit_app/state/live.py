"""The live tail of a visitor: which rows are shown while more come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.data.live_tail import LiveTail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.log_pb2 import Log

    from streamlit_app.data.live_tail import Tail
    from streamlit_app.state.view import View

PARAMETER: Final = "live"
_TAIL: Final = "live_tail"
_SHOWN: Final = "live_shown"


def follow(view: View) -> Tail:
    """Return what has come of a view since it has been followed; begin to follow it if need be."""
    followed: tuple[View, LiveTail] | None = st.session_state.get(_TAIL)
    if followed is None or followed[0] != view:
        st.session_state.pop(_SHOWN, None)
        tail = LiveTail(view.filters.to_log_filter())
    elif followed[1].has_ended:
        tail = LiveTail(view.filters.to_log_filter(), before=followed[1])
    else:
        return followed[1].read()
    st.session_state[_TAIL] = (view, tail)
    return tail.read()


def stop_following() -> None:
    """End following."""
    st.session_state.pop(_TAIL, None)
    st.session_state.pop(_SHOWN, None)


def merge_newest(tail: Sequence[Log], listed: Sequence[Log], limit: int) -> list[Log]:
    """Return the newest calls of both; a call that came again stands once, as it came last."""
    by_id = {log.log_id: log for log in (*listed, *reversed(tail))}
    newest = sorted(by_id.values(), key=lambda log: log.start_time.ToNanoseconds(), reverse=True)
    return newest[:limit]


def hold(logs: list[Log], *, is_held: bool) -> tuple[list[Log], int]:
    """Return the calls to show, and how many more have come: none unless the rows are held."""
    shown: list[Log] | None = st.session_state.get(_SHOWN)
    if not is_held or shown is None:
        st.session_state[_SHOWN] = logs
        return logs, 0
    known = {log.log_id for log in shown}
    return shown, sum(log.log_id not in known for log in logs)


def release() -> None:
    """Show what has come. For callbacks."""
    st.session_state.pop(_SHOWN, None)
