"""Every error a client can see: each knows its code, its reason and its details. Servicers only raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from llm_observe.v1.error_reason_pb2 import ErrorReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.message import Message

DOMAIN: Final = "llm-observe"
_PREFIX: Final = "ERROR_REASON_"


class ApiError(Exception):
    """Base of all; the message must never hold what a user sent."""

    code: ClassVar[grpc.StatusCode]
    reason: ClassVar[ErrorReason.ValueType]
    retry_after_s: float | None = None

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = violations
        """(field, what is wrong) pairs."""

    def to_status(self) -> status_pb2.Status:
        """Return the google.rpc.Status with ErrorInfo and, where they apply, BadRequest and RetryInfo."""
        reason = ErrorReason.Name(self.reason).removeprefix(_PREFIX)
        info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=self.metadata)
        details: list[Message] = [info]
        if self.violations:
            found = [
                error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
                for field, description in self.violations
            ]
            details.append(error_details_pb2.BadRequest(field_violations=found))
        if self.retry_after_s is not None:
            delay = duration_pb2.Duration()
            delay.FromMilliseconds(int(self.retry_after_s * 1000))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status


class InvalidField(ApiError):
    """A request breaks the rules of its fields."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_FIELD

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        field, description = violations[0]
        super().__init__(f"{field}: {description}", metadata={"field": field}, violations=violations)


class BatchEmpty(ApiError):
    """A batch without logs."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BATCH_EMPTY

    def __init__(self) -> None:
        super().__init__("logs: 1 to 500 are needed", violations=[("logs", "1 to 500 are needed")])


class BatchTooLarge(ApiError):
    """More logs or bytes than a batch may have."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BATCH_TOO_LARGE

    def __init__(self, *, limit: int, actual: int, unit: str) -> None:
        text = f"{actual} {unit} in one request; at most {limit}"
        super().__init__(
            f"logs: {text}",
            metadata={"limit": str(limit), "actual": str(actual)},
            violations=[("logs", text)],
        )


class QueueIsUnavailable(ApiError):
    """The queue cannot take logs now."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_QUEUE_UNAVAILABLE
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__("the queue cannot take logs now; nothing was stored")


class ServerIsBusy(ApiError):
    """The server holds as many logs as it may."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_SERVER_BUSY
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__("the server holds as many logs as it may; nothing was taken")


class RateLimited(ApiError):
    """A peer has had its share for now."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_RATE_LIMITED

    def __init__(self, limit: int, window_s: int, *, retry_after_s: float) -> None:
        super().__init__(
            f"at most {limit} in {window_s} seconds; nothing was taken",
            metadata={"limit": str(limit), "window_seconds": str(window_s)},
        )
        self.retry_after_s = retry_after_s


class DatabaseIsUnavailable(ApiError):
    """The database cannot answer now."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_DATABASE_UNAVAILABLE
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__("the database cannot answer now")


class QueryTookTooLong(ApiError):
    """A query took longer than it may."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = ErrorReason.ERROR_REASON_QUERY_TIMEOUT

    def __init__(self) -> None:
        super().__init__("the query took too long; narrow the window or the filter")


class Unauthenticated(ApiError):
    """No key, or none that is good."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = ErrorReason.ERROR_REASON_UNAUTHENTICATED

    def __init__(self, message: str) -> None:
        super().__init__(message)


class PermissionDenied(ApiError):
    """The key has none of the roles that are wanted."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_PERMISSION_DENIED

    def __init__(self, roles: Sequence[str]) -> None:
        wanted = " or ".join(roles)
        super().__init__(f"the key needs the role {wanted}", metadata={"role": ",".join(roles)})


class ProjectNotFound(ApiError):
    """No such project, or not one the key opens."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_PROJECT_NOT_FOUND

    def __init__(self, project_id: str) -> None:
        super().__init__("there is no such project", metadata={"project_id": project_id})


class ProjectAlreadyExists(ApiError):
    """A project has this id."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.ERROR_REASON_PROJECT_ALREADY_EXISTS

    def __init__(self, project_id: str) -> None:
        super().__init__("there is such a project already", metadata={"project_id": project_id})


class ApiKeyNotFound(ApiError):
    """No such key in the project."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_API_KEY_NOT_FOUND

    def __init__(self, api_key_id: str) -> None:
        super().__init__("there is no such key", metadata={"api_key_id": api_key_id})


class RequestIdReused(ApiError):
    """The request_id was used for something else."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.ERROR_REASON_REQUEST_ID_REUSED

    def __init__(self, request_id: str) -> None:
        super().__init__(
            "the request_id was used for another request",
            metadata={"request_id": request_id},
            violations=[("request_id", "was used for another request")],
        )


class TurnInProgress(ApiError):
    """A turn with this request_id is being answered."""

    code = grpc.StatusCode.ABORTED
    reason = ErrorReason.ERROR_REASON_REQUEST_ID_REUSED
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__("a turn with this request_id is still being answered", metadata={"state": "RUNNING"})


class ConversationNotFound(ApiError):
    """No such conversation in the project."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_CONVERSATION_NOT_FOUND

    def __init__(self, conversation_id: str) -> None:
        super().__init__("there is no such conversation", metadata={"conversation_id": conversation_id})


class ConversationClosed(ApiError):
    """The conversation's state forbids this."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_CONVERSATION_CLOSED

    def __init__(self, conversation_id: str, state: str) -> None:
        super().__init__(
            f"the conversation is {state}; resume it first",
            metadata={"conversation_id": conversation_id, "state": state.upper()},
        )


class LogNotFound(ApiError):
    """No such log in the project."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_LOG_NOT_FOUND

    def __init__(self, log_id: str) -> None:
        super().__init__("there is no such log", metadata={"log_id": log_id})


class DeadLetterNotFound(ApiError):
    """There is no such dead letter in the project."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_DEAD_LETTER_NOT_FOUND

    def __init__(self, dead_letter_id: str) -> None:
        super().__init__("no dead letter with this id", metadata={"dead_letter_id": dead_letter_id})


class PageTokenMismatch(ApiError):
    """The page token does not belong to this call."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_PAGE_TOKEN_MISMATCH

    def __init__(self) -> None:
        text = "does not belong to a call with these arguments"
        super().__init__(f"page_token: {text}", violations=[("page_token", text)])


class ProviderUnknown(ApiError):
    """The provider is not known to this server."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_PROVIDER_UNKNOWN

    def __init__(self) -> None:
        text = "is not one that ListModels names"
        super().__init__(f"provider: {text}", violations=[("turn.provider", text)])


class ProviderNotConfigured(ApiError):
    """The provider has no key in the server's settings."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_PROVIDER_NOT_CONFIGURED

    def __init__(self, provider: str, setting: str) -> None:
        super().__init__(
            f"{provider} has no key: set {setting} and start the server again",
            metadata={"provider": provider, "setting": setting},
        )


class ProviderFailed(ApiError):
    """A provider's failure. Nothing the vendor said is passed on."""

    _texts: ClassVar[dict[ErrorReason.ValueType, tuple[grpc.StatusCode, str]]] = {
        ErrorReason.ERROR_REASON_PROVIDER_UNAUTHENTICATED: (
            grpc.StatusCode.FAILED_PRECONDITION, "the provider refused the server's key"),
        ErrorReason.ERROR_REASON_PROVIDER_RATE_LIMITED: (
            grpc.StatusCode.RESOURCE_EXHAUSTED, "the provider's rate limit is reached"),
        ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT: (
            grpc.StatusCode.DEADLINE_EXCEEDED, "the provider did not answer in time"),
        ErrorReason.ERROR_REASON_PROVIDER_REJECTED: (
            grpc.StatusCode.INVALID_ARGUMENT, "the provider refused the request; check model and parameters"),
        ErrorReason.ERROR_REASON_CONTEXT_TOO_LONG: (
            grpc.StatusCode.FAILED_PRECONDITION, "the conversation no longer fits the model's context"),
        ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE: (
            grpc.StatusCode.UNAVAILABLE, "the provider failed or could not be reached"),
    }  # fmt: skip

    def __init__(self, reason: ErrorReason.ValueType, *, provider: str, log_id: str) -> None:
        code, text = self._texts[reason]
        super().__init__(text, metadata={"provider": provider, "log_id": log_id})
        self.code = code  # type: ignore[misc] # one class for a table of reasons
        self.reason = reason  # type: ignore[misc] # as above


class NotImplementedYet(ApiError):
    """This server does not offer the call yet."""

    code = grpc.StatusCode.UNIMPLEMENTED
    reason = ErrorReason.ERROR_REASON_NOT_IMPLEMENTED

    def __init__(self, method: str) -> None:
        super().__init__("this server does not offer the call yet", metadata={"method": method})


class ShuttingDown(ApiError):
    """The server is stopping."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_SHUTTING_DOWN
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__("the server is stopping; try again")


class Internal(ApiError):
    """A bug; the request id finds the log line."""

    code = grpc.StatusCode.INTERNAL
    reason = ErrorReason.ERROR_REASON_INTERNAL

    def __init__(self, request_id: str) -> None:
        super().__init__(f"internal error; request {request_id}", metadata={"request_id": request_id})
