"""A valid request of every method, which reaches as deep into the product as it can."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import alert_service_pb2 as alert
from llm_observe.v1 import analytics_service_pb2 as analytics
from llm_observe.v1 import chat_service_pb2 as chat
from llm_observe.v1 import conversation_service_pb2 as conversation
from llm_observe.v1 import report_service_pb2 as report
from llm_observe.v1.conversation_pb2 import Conversation
from llm_observe.v1.ingest_service_pb2 import IngestSpansRequest

from storage.dead_letters import NewDeadLetter, add_dead_letters
from storage.pool import Database
from tests.support.alerts import NOW
from tests.support.logs import make_log, make_request
from tests.support.methods import call, empty_request
from tests.support.spans import make_span

PROJECT: Final = "default"


class Existing:
    """Ids of rows that requests refer to."""

    conversation_id = alert_rule_id = budget_id = channel_id = ""

    @classmethod
    async def create(cls, channel: Any, database: Database) -> Existing:
        """Make one row of each kind."""
        made = cls()
        for method, field in (
            ("ConversationService/CreateConversation", "conversation"),
            ("AlertService/CreateAlertRule", "alert_rule"),
            ("AlertService/CreateBudget", "budget"),
            ("AlertService/CreateChannel", "channel"),
        ):
            created = getattr(await call(channel, method, make_valid(method, made)), field)
            setattr(made, f"{field}_id", getattr(created, f"{field}_id"))
        letter = NewDeadLetter(
            project_id=PROJECT, reason="refused", message="why", log_id="", log_count=1, attempt_count=1,
            first_attempt_time=NOW, payload="{}", producer_id="", dedup_key="letter",
        )  # fmt: skip
        await add_dead_letters(database, [letter], ())
        return made


def _rule(**fields: Any) -> alert.AlertRule:
    return alert.AlertRule(display_name="rule", metric=alert.ALERT_METRIC_ERROR_RATE, threshold=0.5, **fields)


def _budget(**fields: Any) -> alert.Budget:
    return alert.Budget(display_name="budget", period=alert.BUDGET_PERIOD_MONTH, amount_nano_usd=1, **fields)


def _turn() -> chat.ChatTurn:
    session_id = uuid.uuid4().hex  # each has a limit of its own
    return chat.ChatTurn(session_id=session_id, provider="openai", model="gpt-4o-mini", content="hello")


_MAKERS: Final[dict[str, Callable[[Existing], Message]]] = {
    "AdminService/CreateApiKey": lambda _: admin.CreateApiKeyRequest(
        project_id=PROJECT, roles=[admin.API_KEY_ROLE_INGEST]
    ),
    "AdminService/CreateProject": lambda _: admin.CreateProjectRequest(
        project=admin.Project(project_id=f"p{uuid.uuid4().hex[:12]}", display_name="project")
    ),
    "AlertService/CreateAlertRule": lambda _: alert.CreateAlertRuleRequest(alert_rule=_rule()),
    "AlertService/UpdateAlertRule": lambda existing: alert.UpdateAlertRuleRequest(
        alert_rule=_rule(alert_rule_id=existing.alert_rule_id)
    ),
    "AlertService/EvaluateAlertRule": lambda _: alert.EvaluateAlertRuleRequest(alert_rule=_rule()),
    "AlertService/CreateBudget": lambda _: alert.CreateBudgetRequest(budget=_budget()),
    "AlertService/UpdateBudget": lambda existing: alert.UpdateBudgetRequest(
        budget=_budget(budget_id=existing.budget_id)
    ),
    "AlertService/CreateChannel": lambda _: alert.CreateChannelRequest(
        channel=alert.Channel(
            display_name="channel", type=alert.CHANNEL_TYPE_WEBHOOK, url="https://hooks.example.com/x"
        )
    ),
    "AlertService/UpdateChannel": lambda existing: alert.UpdateChannelRequest(
        channel=alert.Channel(channel_id=existing.channel_id, display_name="channel"),
        update_mask=FieldMask(paths=["display_name"]),
    ),
    "AnalyticsService/QueryBreakdown": lambda _: analytics.QueryBreakdownRequest(
        dimension=analytics.DIMENSION_MODEL
    ),
    "ChatService/Chat": lambda _: chat.ChatRequest(turn=_turn()),
    "ChatService/StreamChat": lambda _: chat.StreamChatRequest(turn=_turn()),
    "ConversationService/CreateConversation": lambda _: conversation.CreateConversationRequest(
        session_id="session"
    ),
    "ConversationService/UpdateConversation": lambda existing: conversation.UpdateConversationRequest(
        conversation=Conversation(conversation_id=existing.conversation_id, title="title")
    ),
    "IngestService/IngestLogs": lambda _: make_request(make_log(), make_log()),
    "IngestService/IngestSpans": lambda _: IngestSpansRequest(spans=[make_span(1), make_span(2)]),
    "ReportService/RunReport": lambda _: report.RunReportRequest(name="cost"),
    "ReportService/RunSql": lambda _: report.RunSqlRequest(sql="SELECT 1"),
}
"""Those of all other methods are valid with nothing set, or need nothing but an id."""
MADE: Final = tuple(_MAKERS)


def make_valid(method: str, existing: Existing) -> Any:
    """Return a method's request, by "Service/Method"."""
    make = _MAKERS.get(method)
    return make(existing) if make is not None else empty_request(method)
