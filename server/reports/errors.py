"""Errors of ReportService; server.rpc.errors has those of all services."""

from __future__ import annotations

import grpc
from llm_observe.v1.error_reason_pb2 import ErrorReason

from server.rpc.errors import ApiError, NotFound


class LakeIsUnavailable(ApiError):
    """The lake cannot be read or written now."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_LAKE_UNAVAILABLE
    message = "the Parquet files cannot be read or written now; retry later"
    retry_after_s = 1.0


class LakeIsBehind(ApiError):
    """The lake lacks more logs than may be read from the database.

    Args:
        limit: How many may be, such as ``200,000 logs``.
        has_lake: Whether there is a lake at all.
    """

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_LAKE_UNAVAILABLE

    def __init__(self, limit: str, *, has_lake: bool) -> None:
        advice = "run `llm-observe export`"
        if not has_lake:
            advice = f"set LLM_OBSERVE_LAKE_URL and {advice}"
        super().__init__(
            f"more than {limit} of this time range are not exported to Parquet files yet: {advice}, "
            "or narrow the time range"
        )


class SqlIsRefused(ApiError):
    """The statement may not be run. The sentence may quote it."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_SQL_REFUSED

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence, metadata={"rule": rule}, violations=[("sql", sentence)])


class SqlHasMistake(ApiError):
    """The statement has a mistake. The sentence may quote it."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_SQL_FAILED

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, violations=[("sql", sentence)])


class SqlTookTooMuch(ApiError):
    """The statement needed more than it may have; the same one will again."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_SQL_LIMIT_EXCEEDED

    def __init__(self, limit: str, sentence: str) -> None:
        super().__init__(sentence, metadata={"limit": limit})


class ReportNotFound(NotFound):
    """There is no such report."""

    reason = ErrorReason.ERROR_REASON_REPORT_NOT_FOUND
    message = "report not found; ListReports returns all of them"
    id_field = "report"
