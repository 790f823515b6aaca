"""Follows the logs as they are stored, in a thread, for one visitor."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
from llm_observe.v1.event_service_pb2 import WatchLogsRequest
from llm_observe.v1.event_service_pb2_grpc import EventServiceStub

from streamlit_app.data.connection import ServerError, channel, server_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe.v1.filter_pb2 import LogFilter
    from llm_observe.v1.log_pb2 import Log

_MAX_LOGS: Final = 500
_CALL_TIMEOUT_S: Final = 600.0
_UNREAD_S: Final = 30.0
"""How long nobody may have looked before following ends: the visitor has left the page."""


class Tail(NamedTuple):
    """What has come since following began."""

    logs: list[Log]
    """Newest first."""
    missed: int
    """Logs that came faster than they could be followed."""
    error: ServerError | None
    """Why nothing comes at present."""


_NOTHING: Final = Tail([], 0, None)


class LiveTail:
    """Logs that match a filter, from now on. Reading ends when this object goes, or nobody reads it.

    ``before`` is a tail of the same filter that has ended, as every stream does: what it has received stays.
    """

    def __init__(self, log_filter: LogFilter, before: LiveTail | None = None) -> None:
        self._received = _Received(before.read() if before else _NOTHING)
        cancel = _follow(self._received, log_filter)
        weakref.finalize(self, cancel)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come: begin anew."""
        return self._received.has_ended

    def read(self) -> Tail:
        """Return what has come so far."""
        return self._received.read()


class _Received:
    """What the thread has received. The thread knows this object, and not the one that visitors hold."""

    def __init__(self, before: Tail) -> None:
        self._lock = threading.Lock()
        self._logs: deque[Log] = deque(reversed(before.logs), maxlen=_MAX_LOGS)
        self._missed_before = before.missed
        self._missed = before.missed
        self._error = before.error
        self._last_read = monotonic()
        self.has_ended = False

    def add(self, logs: list[Log], missed: int) -> bool:
        """Keep logs; return whether anybody still reads them."""
        with self._lock:
            self._logs.extend(logs)
            self._missed = self._missed_before + missed
            self._error = None
            return monotonic() - self._last_read < _UNREAD_S

    def end(self, error: ServerError | None) -> None:
        with self._lock:
            self._error = error
            self.has_ended = True

    def read(self) -> Tail:
        with self._lock:
            self._last_read = monotonic()
            return Tail(list(reversed(self._logs)), self._missed, self._error)


def _follow(received: _Received, log_filter: LogFilter) -> Callable[[], object]:
    """Begin to receive; return what ends it."""
    call = EventServiceStub(channel()).WatchLogs(WatchLogsRequest(filter=log_filter), timeout=_CALL_TIMEOUT_S)

    def receive() -> None:
        error = None
        try:
            with server_errors():
                for group in call:
                    if not received.add(list(group.logs), group.missed_count):
                        break
        except ServerError as failure:
            # A stream has its time, after which another one follows: that is no error.
            error = failure if failure.reason != grpc.StatusCode.DEADLINE_EXCEEDED.name else None
        finally:
            call.cancel()
            received.end(error)

    threading.Thread(target=receive, name="live-tail", daemon=True).start()
    return call.cancel
