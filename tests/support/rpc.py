"""Stubs, metadata and the details of errors."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

RPC_TIMEOUT_S = 60.0
"""For calls that answer at once; so long that no test fails because the machine is busy."""


def stub(kind: Any, channel: Any) -> Any:
    """Return a stub; untyped, since the generated class types only synchronous calls."""
    return kind(channel)


def bearer(secret: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call with this key."""
    return (("authorization", f"Bearer {secret}"),)


def info_of(error: Any) -> tuple[str, dict[str, str], list[str]]:
    """Return reason, metadata and violated fields of a rich error."""
    status = rpc_status.from_call(error)
    assert status is not None, "the error has no google.rpc.Status"
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    assert info.domain == "llm-observe"
    return info.reason, dict(info.metadata), [violation.field for violation in bad.field_violations]


async def answers(port: int) -> bool:
    """Return whether a server accepts connections."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            await asyncio.wait_for(channel.channel_ready(), 5)
        except TimeoutError:
            return False
        return True
