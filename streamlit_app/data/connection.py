"""The app's connection to the server: stubs on a shared channel, readable errors."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from llm_observe.channel import connection_problem, open_channel, with_key

from streamlit_app.settings import AppSettings
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPTIONS: Final = (("grpc.max_reconnect_backoff_ms", 2_000),)
DENIED: Final = "PERMISSION_DENIED"
"""Reason of a call that needs a role which the key, or the visitor, does not have."""
_UNREACHABLE: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


class ServerError(Exception):
    """A failed call: a readable message, and as ``reason`` the name of its ErrorReason or status code."""

    def __init__(self, message: str, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.unreachable = unreachable
        """Whether the server did not answer at all, so that other calls fail likewise."""


# Not st.cache_resource: threads that read in parallel have no session.
@cache
def settings() -> AppSettings:
    """Return the settings, read once."""
    return load_settings(AppSettings)


@cache
def channel() -> grpc.Channel:
    """Return the channel that all calls share."""
    chosen = settings()
    opened = open_channel(
        chosen.target,
        tls=chosen.tls,
        ca_file=chosen.tls_ca_file,
        cert_file=chosen.tls_cert_file,
        key_file=chosen.tls_key_file,
        options=_OPTIONS,
    )
    return with_key(opened, chosen.api_key.get_secret_value())


def forget_connection() -> None:
    """Read the settings and connect anew at the next call. For tests."""
    settings.cache_clear()
    channel.cache_clear()


@contextmanager
def server_errors() -> Iterator[None]:
    """Turn a failed call into a ServerError.

    Raises:
        ServerError: The call failed.
    """
    try:
        yield
    except grpc.RpcError as error:
        raise _to_server_error(error) from None


def _to_server_error(error: grpc.RpcError) -> ServerError:
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # grpc raises RpcErrors that are Calls
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return ServerError(status.message, info.reason)
    code = error.code()
    if code in _UNREACHABLE:
        problem = connection_problem(error)
        cause = f": {problem}" if problem else ""
        return ServerError(f"No answer from {settings().target}{cause}.", code.name, unreachable=True)
    return ServerError("The call failed; the server gave no details.", code.name)
