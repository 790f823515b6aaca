"""Calls and their errors."""

from __future__ import annotations

from typing import Any

from google.rpc import error_details_pb2
from grpc_status import rpc_status


def stub(kind: Any, channel: Any) -> Any:
    """A stub; untyped, since the generated class types only its synchronous face."""
    return kind(channel)


def info_of(error: Any) -> tuple[str, dict[str, str], list[str]]:
    """Reason, metadata and violated fields of a rich error."""
    status = rpc_status.from_call(error)
    assert status is not None, "the error has no google.rpc.Status"
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    assert info.domain == "llm-observe"
    return info.reason, dict(info.metadata), [violation.field for violation in bad.field_violations]
