"""A call's context, as servicers get it, and where the call comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import grpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
"""Of any request and response: no servicer reads or writes messages through it."""


def peer_address(context: Context) -> str:
    """Return the caller's address without its port, so that connections of one machine count together."""
    peer = context.peer()
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer
