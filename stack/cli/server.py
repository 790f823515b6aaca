"""The command line's connection to the running server."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
from grpc_status import rpc_status
from llm_observe.channel import connection_problem, open_from_env
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub

from stack.data_dir import DataDir
from stack.errors import StackError
from stack.readiness import local_address
from stack.supervisor import GRPC_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator


def server_endpoint() -> str:
    """Return the server's ``host:port``.

    It is LLM_OBSERVE_ENDPOINT, or else the server that runs from the data folder, or else the address on this
    machine that the environment names.
    """
    variable, default = GRPC_PORT
    ports = DataDir.from_env().read_state().get("ports", {})
    port = ports.get("grpc") or os.environ.get(variable) or default
    return os.environ.get("LLM_OBSERVE_ENDPOINT", "").strip() or local_address("LLM_OBSERVE_GRPC_HOST", port)


@contextmanager
def admin_service() -> Iterator[AdminServiceStub]:
    """Open the running server's AdminService; see server_channel()."""
    with server_channel() as channel:
        yield AdminServiceStub(channel)


@contextmanager
def server_channel() -> Iterator[grpc.Channel]:
    """Open a channel to the running server.

    Raises:
        StackError: A call failed; the message is the server's.
    """
    endpoint = server_endpoint()
    try:
        with open_from_env(endpoint) as channel:
            yield channel
    except OSError as error:  # a TLS file
        raise StackError(f"cannot read {error.filename}: {error.strerror}") from None
    except grpc.RpcError as error:
        # The server's own errors carry a google.rpc.Status, gRPC's do not.
        status = rpc_status.from_call(error)  # type: ignore[arg-type] # grpc raises RpcErrors that are Calls
        if error.code() is grpc.StatusCode.UNAVAILABLE and status is None:
            problem = connection_problem(error) or "is LLM Observe running?"
            raise StackError(f"no answer from {endpoint}: {problem}") from None
        raise StackError(error.details() or error.code().name) from None
