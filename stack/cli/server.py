"""The command line's connection to the running server."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
from llm_observe.channel import open_from_env
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub

from stack.data_dir import DataDir
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def admin_service() -> Iterator[Any]:
    """Open the running server's AdminService; what goes wrong there is said in a line."""
    ports = DataDir.from_env().read_state().get("ports") or {}
    endpoint = os.environ.get("LLM_OBSERVE_ENDPOINT", "").strip() or f"127.0.0.1:{ports.get('grpc', 50051)}"
    try:
        with open_from_env(endpoint) as channel:
            yield AdminServiceStub(channel)
    except grpc.RpcError as error:
        known: Any = error
        if known.code() is grpc.StatusCode.UNAVAILABLE:
            raise StackError(f"no answer from {endpoint}: is LLM Observe running?") from None
        raise StackError(known.details()) from None
