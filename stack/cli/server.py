"""The door of the command line to the running server."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
from llm_observe._channel import open_configured, with_key
from llm_observe._config import Config
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub

from stack.data_dir import DataDir
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def admin_service() -> Iterator[Any]:
    """Open the running server's AdminService; what goes wrong there is said in a line."""
    ports = DataDir.from_env().read_state().get("ports") or {}
    config = Config.from_env()
    endpoint = config.endpoint or f"127.0.0.1:{ports.get('grpc', 50051)}"
    try:
        with open_configured(config, endpoint) as channel:
            yield AdminServiceStub(with_key(channel, config.api_key))
    except grpc.RpcError as error:
        known: Any = error
        if known.code() is grpc.StatusCode.UNAVAILABLE:
            raise StackError(f"no answer from {endpoint}: is LLM Observe running?") from None
        raise StackError(known.details()) from None
