"""Errors of ExportService; server.rpc.errors has those of all services."""

from __future__ import annotations

import grpc
from llm_observe.v1.error_reason_pb2 import ErrorReason

from server.rpc.errors import ApiError, NotFound


class ExportNotFound(NotFound):
    """The project has no such export."""

    reason = ErrorReason.ERROR_REASON_EXPORT_NOT_FOUND
    message = "export not found"
    id_field = "export_id"


class ExportAlreadyRunning(ApiError):
    """The project has an export that has not ended."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_EXPORT_ALREADY_RUNNING
    message = "an export of this project has not ended yet; wait for it, or cancel it"

    def __init__(self, export_id: str) -> None:
        super().__init__(metadata={"export_id": export_id})


class LakeNotConfigured(ApiError):
    """The server's settings name no lake."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_LAKE_UNAVAILABLE
    message = "there is no lake: set LLM_OBSERVE_LAKE_URL and restart the server and the workers"

    def __init__(self) -> None:
        super().__init__(metadata={"setting": "LLM_OBSERVE_LAKE_URL"})
