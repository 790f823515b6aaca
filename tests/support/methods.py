"""Calling any method of the contract by its name, with or without a key."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass

from tests.support.rpc import RPC_TIMEOUT_S, bearer, info_of
from tests.support.server import SERVICES

METHODS = {
    f"{service.name}/{method.name}": method for service in SERVICES.values() for method in service.methods
}
"""Every method's descriptor, by "Service/Method"."""


def empty_request(method: str) -> Any:
    """Return a method's request with nothing set."""
    return GetMessageClass(METHODS[method].input_type)()


def call(channel: grpc.aio.Channel, method: str, request: Any, secret: str = "") -> Any:
    """Call a method and return an awaitable of its response, or of the first response of a stream."""
    described = METHODS[method]
    kind: Any = channel.unary_stream if described.server_streaming else channel.unary_unary
    rpc = kind(
        f"/llm_observe.v1.{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(described.output_type).FromString,
    )
    running = rpc(request, metadata=bearer(secret) if secret else (), timeout=RPC_TIMEOUT_S)
    return running.read() if described.server_streaming else running


async def reason_of(running: Any) -> str:
    """Return the reason of a refused call."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running
    return info_of(caught.value)[0]
