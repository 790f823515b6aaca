"""The command line's connection to the running server."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import click
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

_ENDPOINT: Final = "LLM_OBSERVE_ENDPOINT"


class Endpoint(NamedTuple):
    """Where the server is, and who says so."""

    address: str
    """``host:port``."""
    source: str
    """A variable, or the data folder that the server runs from."""

    def __str__(self) -> str:
        return f"{self.address} ({self.source})"


def find_server() -> Endpoint:
    """Return the server that commands speak to.

    It is LLM_OBSERVE_ENDPOINT, or else the server that runs from the data folder, or else
    LLM_OBSERVE_GRPC_PORT on this machine. There is no default: whatever listens at the usual port may be
    somebody else's.

    Raises:
        StackError: None of them is there.
    """
    variable, _ = GRPC_PORT
    if endpoint := os.environ.get(_ENDPOINT, "").strip():
        return Endpoint(endpoint, _ENDPOINT)
    home = DataDir.from_env()
    if home.running_supervisor() is not None and (port := home.read_state().get("ports", {}).get("grpc")):
        return Endpoint(local_server(port), f"running from {home.root}")
    if configured := os.environ.get(variable, "").strip():
        return Endpoint(local_server(configured), variable)
    raise StackError(
        f"nothing runs from {home.root}: start everything with `llm-observe up`, "
        f"or set {_ENDPOINT} to a server's host:port"
    )


def local_server(port: int | str) -> str:
    """Return the ``host:port`` of a server on this machine."""
    return local_address("LLM_OBSERVE_GRPC_HOST", port)


@contextmanager
def admin_service() -> Iterator[AdminServiceStub]:
    """Open the running server's AdminService; see server_channel()."""
    with server_channel() as channel:
        yield AdminServiceStub(channel)


@contextmanager
def server_channel() -> Iterator[grpc.Channel]:
    """Open a channel to the running server, and tell a person which it is.

    Raises:
        StackError: No server is known, or a call failed; then the message is the server's.
    """
    endpoint = find_server()
    if sys.stderr.isatty():
        click.echo(f"server: {endpoint}", err=True)
    try:
        with open_from_env(endpoint.address) as channel:
            yield channel
    except OSError as error:  # a TLS file
        raise StackError(f"cannot read {error.filename}: {error.strerror}") from None
    except grpc.RpcError as error:
        # The server's own errors carry a google.rpc.Status, gRPC's do not.
        status = rpc_status.from_call(error)  # type: ignore[arg-type] # grpc raises RpcErrors that are Calls
        if error.code() is grpc.StatusCode.UNAVAILABLE and status is None:
            problem = connection_problem(error) or "is it running?"
            raise StackError(f"no answer from {endpoint}: {problem}") from None
        raise StackError(error.details() or error.code().name) from None
