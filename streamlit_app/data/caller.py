"""What the app's key gives access to: asked for in the background, and known to all sessions."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1 import admin_service_pb2 as pb
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub

from streamlit_app.data.connection import ServerError, channel, server_errors, settings

if TYPE_CHECKING:
    import grpc

_PREFIX: Final = "API_KEY_ROLE_"
_TTL_S: Final = 60.0
"""How long an answer is good, in seconds: a key is seldom replaced by one of other roles."""
_WAIT_SHARE: Final = 1 / 3
"""How much of the time for an answer the first page waits: it has requests of its own to make."""


class Caller(NamedTuple):
    """Who the app is for the server."""

    project_name: str
    roles: frozenset[str]
    """Such as ``read``; admin includes all others."""


class _Known:
    """The last answer, the last error, and the request in flight."""

    def __init__(self) -> None:
        self.caller: Caller | None = None
        self.error: ServerError | None = None
        self._lock = Lock()
        self._asked_at = float("-inf")
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="caller")

    def refresh(self) -> None:
        """Ask if the answer is old. Only the very first request is waited for, and not for long."""
        with self._lock:
            now = time.monotonic()
            # An error is asked about again when a page refreshes: somebody may be mending it.
            if now - self._asked_at < (_TTL_S if self.error is None else settings().refresh_s):
                return
            is_first = self._asked_at == float("-inf")
            self._asked_at = now
            request: Future[None] = self._threads.submit(self._ask)
        if is_first:
            wait([request], settings().timeout_s * _WAIT_SHARE)

    def _ask(self) -> None:
        try:
            self.caller, self.error = get_caller(), None
        except ServerError as error:
            self.error = error


def get_caller() -> Caller:
    """Ask who the app is. Raises ServerError if the call fails."""
    with server_errors():
        answer = AdminServiceStub(channel()).GetCaller(pb.GetCallerRequest(), timeout=settings().timeout_s)
    roles = {pb.ApiKeyRole.Name(role).removeprefix(_PREFIX).lower() for role in answer.roles}
    return Caller(answer.project.display_name or answer.project.project_id, frozenset(roles))


@cache
def _known_on(opened: grpc.Channel) -> _Known:  # noqa: ARG001 - what is known goes with the connection
    return _Known()


def _known() -> _Known:
    return _known_on(channel())


def known_caller() -> Caller | None:
    """Return who the app is; None while the server has not told."""
    _known().refresh()
    return _known().caller


def key_error() -> ServerError | None:
    """Return why the server accepts no call of the app at all; None if it does, or has not answered."""
    _known().refresh()
    error = _known().error
    return error if error is not None and error.reason == "UNAUTHENTICATED" else None
