"""The type of a call's context, as servicers get it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import grpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
"""Of any request and response: no servicer reads or writes messages through it."""
