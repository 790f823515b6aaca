"""Errors that a client can see: code, reason and details. The wings add their own; servicers only raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from llm_observe.v1.error_reason_pb2 import ErrorReason

from server.rpc.error_texts import may_be_id, to_error_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.message import Message

DOMAIN: Final = "llm-observe"
_PREFIX: Final = "ERROR_REASON_"


class ApiError(Exception):
    """Base of all errors. Neither message nor metadata may contain text that a user sent, other than ids.

    Args:
        message: Human-readable; by default the class's own.
        metadata: Machine-readable: what varies in the message.
        violations: Pairs of a field and what is wrong with it.
    """

    code: ClassVar[grpc.StatusCode]
    reason: ClassVar[ErrorReason.ValueType]
    message: str
    retry_after_s: float | None = None
    """When the call may be repeated, in seconds; None where repeating it does not help."""

    def __init__(
        self,
        message: str | None = None,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[tuple[str, str]] = (),
    ) -> None:
        if message is not None:
            self.message = to_error_text(message)
        super().__init__(self.message)
        self.metadata = dict(metadata or {})
        self.violations = [(to_error_text(field), to_error_text(text)) for field, text in violations]

    def to_status(self) -> status_pb2.Status:
        """Return the google.rpc.Status with ErrorInfo and, where they apply, BadRequest and RetryInfo."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in self._details():
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status

    def _details(self) -> list[Message]:
        reason = ErrorReason.Name(self.reason).removeprefix(_PREFIX)
        details: list[Message] = [
            error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=self.metadata)
        ]
        if self.violations:
            violations = [
                error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
                for field, description in self.violations
            ]
            details.append(error_details_pb2.BadRequest(field_violations=violations))
        if self.retry_after_s is not None:
            delay = duration_pb2.Duration()
            delay.FromMilliseconds(int(self.retry_after_s * 1000))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        return details


# -- requests that are wrong ---------------------------------------------------------------------------


class InvalidField(ApiError):
    """Fields of the request break their rules."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_FIELD

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        field, description = violations[0]
        super().__init__(f"{field}: {description}", metadata={"field": field}, violations=violations)


class BatchEmpty(ApiError):
    """The batch has no logs."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BATCH_EMPTY
    message = "logs: must contain 1 to 500 logs"

    def __init__(self) -> None:
        super().__init__(violations=[("logs", "must contain 1 to 500 logs")])


class BatchTooLarge(ApiError):
    """The batch has more logs or bytes than are allowed."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BATCH_TOO_LARGE

    def __init__(self, *, limit: int, actual: int, unit: str) -> None:
        text = f"must contain at most {limit} {unit}, not {actual}"
        metadata = {"limit": str(limit), "actual": str(actual)}
        super().__init__(f"logs: {text}", metadata=metadata, violations=[("logs", text)])


class PageTokenMismatch(ApiError):
    """The page token does not belong to this call."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_PAGE_TOKEN_MISMATCH

    def __init__(self) -> None:
        text = "is not valid for this request; send the arguments of the request that returned it"
        super().__init__(f"page_token: {text}", violations=[("page_token", text)])


class RequestIdReused(ApiError):
    """The request_id was used for another request."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.ERROR_REASON_REQUEST_ID_REUSED
    message = "the request_id was already used for a different request; generate a new one"

    def __init__(self, request_id: str) -> None:
        violation = ("request_id", "was already used for a different request")
        super().__init__(metadata={"request_id": request_id}, violations=[violation])


class NotImplementedYet(ApiError):
    """The method is not implemented yet."""

    code = grpc.StatusCode.UNIMPLEMENTED
    reason = ErrorReason.ERROR_REASON_NOT_IMPLEMENTED
    message = "this method is not implemented yet"

    def __init__(self, method: str) -> None:
        super().__init__(metadata={"method": method})


# -- callers -------------------------------------------------------------------------------------------


class Unauthenticated(ApiError):
    """The call has no API key, or one that is not valid."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = ErrorReason.ERROR_REASON_UNAUTHENTICATED


class PermissionDenied(ApiError):
    """The key has none of the roles that may call the method."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_PERMISSION_DENIED

    def __init__(self, roles: Sequence[str], message: str | None = None) -> None:
        super().__init__(
            message or f"the API key lacks the required role: {' or '.join(roles)}",
            metadata={"role": ",".join(roles)},
        )


class RateLimited(ApiError):
    """The peer has used up its limit for now."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_RATE_LIMITED

    def __init__(self, limit: int, window_s: int, *, retry_after_s: float) -> None:
        super().__init__(
            f"rate limit of {limit} per {window_s} seconds exceeded; nothing was accepted",
            metadata={"limit": str(limit), "window_seconds": str(window_s)},
        )
        self.retry_after_s = retry_after_s


# -- the server and its stores -------------------------------------------------------------------------


class QueueIsUnavailable(ApiError):
    """The queue cannot take logs now."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_QUEUE_UNAVAILABLE
    message = "the queue is unavailable; retry the request, which is safe to repeat"
    retry_after_s = 1.0


class ServerIsBusy(ApiError):
    """The queue or a buffer is full."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_SERVER_BUSY
    message = "more logs arrive than are stored; nothing was accepted, retry later"
    retry_after_s = 2.0


class DatabaseIsUnavailable(ApiError):
    """The database is unavailable."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_DATABASE_UNAVAILABLE
    message = "the database is unavailable; retry later"
    retry_after_s = 1.0


class QueryTookTooLong(ApiError):
    """A query took longer than allowed."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = ErrorReason.ERROR_REASON_QUERY_TIMEOUT
    message = "the query took too long; narrow the time range or the filter"


class ShuttingDown(ApiError):
    """The server is shutting down."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_SHUTTING_DOWN
    message = "the server is shutting down; retry"
    retry_after_s = 1.0


class Internal(ApiError):
    """A bug. The server's log has a line with the request id."""

    code = grpc.StatusCode.INTERNAL
    reason = ErrorReason.ERROR_REASON_INTERNAL

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"internal error; the server's log has details under request_id {request_id}",
            metadata={"request_id": request_id},
        )


# -- resources -----------------------------------------------------------------------------------------


class NotFound(ApiError):
    """The caller's project has no resource with this id."""

    code = grpc.StatusCode.NOT_FOUND
    id_field: ClassVar[str]

    def __init__(self, resource_id: str) -> None:
        super().__init__(metadata={self.id_field: resource_id} if may_be_id(resource_id) else {})


class ProjectNotFound(NotFound):
    """There is no such project, or the key does not give access to it."""

    reason = ErrorReason.ERROR_REASON_PROJECT_NOT_FOUND
    message = "project not found"
    id_field = "project_id"


class ApiKeyNotFound(NotFound):
    """The project has no such key."""

    reason = ErrorReason.ERROR_REASON_API_KEY_NOT_FOUND
    message = "API key not found"
    id_field = "api_key_id"


class ConversationNotFound(NotFound):
    """The project has no such conversation."""

    reason = ErrorReason.ERROR_REASON_CONVERSATION_NOT_FOUND
    message = "conversation not found"
    id_field = "conversation_id"


class LogNotFound(NotFound):
    """The project has no such log."""

    reason = ErrorReason.ERROR_REASON_LOG_NOT_FOUND
    message = "log not found"
    id_field = "log_id"


class DeadLetterNotFound(NotFound):
    """The project has no such dead letter."""

    reason = ErrorReason.ERROR_REASON_DEAD_LETTER_NOT_FOUND
    message = "dead letter not found"
    id_field = "dead_letter_id"


class ProjectAlreadyExists(ApiError):
    """Another project has this id."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.ERROR_REASON_PROJECT_ALREADY_EXISTS
    message = "a project with this id already exists"

    def __init__(self, project_id: str) -> None:
        super().__init__(metadata={"project_id": project_id})


# -- chat ----------------------------------------------------------------------------------------------


class ConversationClosed(ApiError):
    """The conversation's state forbids this call."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_CONVERSATION_CLOSED

    def __init__(self, conversation_id: str, state: str) -> None:
        super().__init__(
            f"the conversation is {state}; resume it first",
            metadata={"conversation_id": conversation_id, "state": state.upper()},
        )


class TurnInProgress(ApiError):
    """The turn with this request_id is still being answered."""

    code = grpc.StatusCode.ABORTED
    reason = ErrorReason.ERROR_REASON_REQUEST_ID_REUSED
    message = "a turn with this request_id is still in progress"
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__(metadata={"state": "RUNNING"})


class ProviderUnknown(ApiError):
    """The provider is not one that ListModels returns."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_PROVIDER_UNKNOWN

    def __init__(self) -> None:
        text = "must be a provider that ListModels returns"
        super().__init__(f"provider: {text}", violations=[("turn.provider", text)])


class ProviderNotConfigured(ApiError):
    """The provider has no key in the server's settings."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_PROVIDER_NOT_CONFIGURED

    def __init__(self, provider: str, setting: str) -> None:
        super().__init__(
            f"{provider} has no API key: set {setting} and restart the server",
            metadata={"provider": provider, "setting": setting},
        )


class ProviderFailed(ApiError):
    """The provider failed or rejected the request. No part of its own message is passed on."""

    _texts: ClassVar[dict[ErrorReason.ValueType, tuple[grpc.StatusCode, str]]] = {
        ErrorReason.ERROR_REASON_PROVIDER_UNAUTHENTICATED: (
            grpc.StatusCode.FAILED_PRECONDITION, "the provider rejected the server's API key"),
        ErrorReason.ERROR_REASON_PROVIDER_RATE_LIMITED: (
            grpc.StatusCode.RESOURCE_EXHAUSTED, "the provider's rate limit was exceeded"),
        ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT: (
            grpc.StatusCode.DEADLINE_EXCEEDED, "the provider did not answer in time"),
        ErrorReason.ERROR_REASON_PROVIDER_REJECTED: (
            grpc.StatusCode.INVALID_ARGUMENT,
            "the provider rejected the request; check the model and the parameters"),
        ErrorReason.ERROR_REASON_CONTEXT_TOO_LONG: (
            grpc.StatusCode.FAILED_PRECONDITION,
            "the conversation exceeds the model's context window; start a new one"),
        ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE: (
            grpc.StatusCode.UNAVAILABLE, "the provider failed or could not be reached"),
    }  # fmt: skip

    def __init__(self, reason: ErrorReason.ValueType, *, provider: str, log_id: str) -> None:
        code, text = self._texts[reason]
        super().__init__(text, metadata={"provider": provider, "log_id": log_id})
        self.code = code  # type: ignore[misc] # one class for a table of reasons
        self.reason = reason  # type: ignore[misc] # as above
