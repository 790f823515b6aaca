"""Errors of AlertService; server.rpc.errors has those of all services."""

from __future__ import annotations

import grpc
from llm_observe.v1.error_reason_pb2 import ErrorReason

from server.rpc.errors import ApiError, NotFound


class AlertRuleNotFound(NotFound):
    """The project has no such rule."""

    reason = ErrorReason.ERROR_REASON_ALERT_RULE_NOT_FOUND
    message = "alert rule not found"
    id_field = "alert_rule_id"


class ChannelNotFound(NotFound):
    """The project has no such channel."""

    reason = ErrorReason.ERROR_REASON_CHANNEL_NOT_FOUND
    message = "notification channel not found"
    id_field = "channel_id"


class ChannelInUse(ApiError):
    """Rules or budgets name the channel."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_CHANNEL_IN_USE
    message = "alert rules or budgets still use the notification channel; change them first"

    def __init__(self, channel_id: str) -> None:
        super().__init__(metadata={"channel_id": channel_id})


class BudgetNotFound(NotFound):
    """The project has no such budget."""

    reason = ErrorReason.ERROR_REASON_BUDGET_NOT_FOUND
    message = "budget not found"
    id_field = "budget_id"
