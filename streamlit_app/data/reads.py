"""Reads several things at the same time, and keeps the last good answer of each while the server is away."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import streamlit as st

from streamlit_app import clock
from streamlit_app.data.connection import DENIED, ServerError
from streamlit_app.roles import why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from datetime import datetime

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_KEPT: Final = "last_answers"
_MAX_KEPT: Final = 60
"""Answers kept for a session: a few pages, each with its windows that were shown last."""


class Read(Generic[T_co]):
    """One answer. ``value`` is the last good one, None if there was none; ``error`` says why it is old."""

    def __init__(self) -> None:
        self.value: T_co | None = None
        self.read_time: datetime | None = None
        self.error: ServerError | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the value is older than this refresh."""
        return self.error is not None and self.value is not None


class Reads:
    """Answers that were asked for together.

    ``error`` is that of reads just before: a server that did not answer them is not asked for more.
    """

    def __init__(self, key: Hashable, error: ServerError | None = None) -> None:
        self._key = key
        self._error = error
        self._threads = ThreadPoolExecutor(thread_name_prefix="read")
        self._started: list[tuple[Hashable, Read[object], Future[object]]] = []
        self.answers: list[Read[object]] = []

    def start(self, name: str, call: Callable[[], T], *, roles: Sequence[str] = ()) -> Read[T]:
        """Begin to read; the answer has its value after the ``with`` block.

        ``name`` tells the answer from others of the same page and view. A visitor who has none of the
        ``roles`` reads nothing: the error says what is missing.
        """
        answer: Read[T] = Read()
        missing = why_not(*roles) if roles else None
        if missing:
            answer.error = ServerError(missing, DENIED)
            return answer
        self._started.append(((self._key, name), answer, self._submit(call)))
        return answer

    def _submit(self, call: Callable[[], T]) -> Future[T]:
        if self._error is None:
            return self._threads.submit(call)
        refused: Future[T] = Future()
        refused.set_exception(self._error)
        return refused

    def have_come(self, within_s: float) -> bool:
        """Wait for the answers, but not longer; return whether all have come."""
        return not wait([future for _, _, future in self._started], within_s).not_done

    def finish(self) -> None:
        """Wait for all answers."""
        for key, answer, future in self._started:
            _settle(key, answer, future)
            self.answers.append(answer)
        self._threads.shutdown()

    @property
    def unreachable(self) -> ServerError | None:
        """The error, if the server answered nothing at all."""
        errors = [answer.error for answer in self.answers if answer.error and answer.error.unreachable]
        return errors[0] if errors and len(errors) == len(self.answers) else None

    @property
    def stale_since(self) -> datetime | None:
        """When the oldest value was read that had to be kept."""
        return min(
            (answer.read_time for answer in self.answers if answer.is_stale and answer.read_time),
            default=None,
        )


@contextmanager
def read_together(page: str, view: Hashable, *, error: ServerError | None = None) -> Iterator[Reads]:
    """Read several things in parallel; after the block, every answer has its value or its error.

    Answers are kept by page and view: numbers of one window are never shown for another. With an ``error``,
    that of reads just before, nothing is asked for: answers have the last good value and this error.
    """
    reads = Reads((page, view), error)
    try:
        yield reads
    finally:
        reads.finish()


def has_answers(page: str, view: Hashable) -> bool:
    """Return whether anything was read before for a page and view."""
    return any(key[0] == (page, view) for key in st.session_state.get(_KEPT, {}))


def _settle(key: Hashable, answer: Read[object], future: Future[object]) -> None:
    kept: OrderedDict[Hashable, tuple[object, datetime]] = st.session_state.setdefault(_KEPT, OrderedDict())
    try:
        kept[key] = (future.result(), clock.now())
    except ServerError as error:
        answer.error = error
    if key in kept:
        kept.move_to_end(key)
        answer.value, answer.read_time = kept[key]
    while len(kept) > _MAX_KEPT:
        kept.popitem(last=False)
