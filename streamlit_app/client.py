"""The dashboard's connection to the server: stubs on a shared channel, readable errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import grpc
import streamlit as st
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from llm_observe.channel import connection_problem, open_channel, with_key
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub

from streamlit_app.settings import AppSettings
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPTIONS: Final = (("grpc.max_reconnect_backoff_ms", 2_000),)


class ServerError(Exception):
    """A failed call: a readable message, and as ``reason`` the name of its ErrorReason or status code."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


@st.cache_resource
def settings() -> AppSettings:
    """Return the settings, read once."""
    return load_settings(AppSettings)


@st.cache_resource
def _channel() -> grpc.Channel:
    chosen = settings()
    channel = open_channel(
        chosen.target,
        tls=chosen.tls,
        ca_file=chosen.tls_ca_file,
        cert_file=chosen.tls_cert_file,
        key_file=chosen.tls_key_file,
        options=_OPTIONS,
    )
    return with_key(channel, chosen.api_key.get_secret_value())


def analytics() -> AnalyticsServiceStub:
    """Return the analytics service."""
    return AnalyticsServiceStub(_channel())


def chat() -> ChatServiceStub:
    """Return the chat service."""
    return ChatServiceStub(_channel())


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
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        problem = connection_problem(error)
        return ServerError(
            f"The server at {settings().target} does not answer{f': {problem}' if problem else ''}.",
            code.name,
        )
    return ServerError("The call failed; the server gave no details.", code.name)
