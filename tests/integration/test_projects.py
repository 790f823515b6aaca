"""No method lets a project see or change another project's rows."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import alert_service_pb2 as alert
from llm_observe.v1 import analytics_service_pb2 as analytics
from llm_observe.v1 import chat_service_pb2 as chat
from llm_observe.v1 import conversation_service_pb2 as conversation
from llm_observe.v1 import event_service_pb2 as event
from llm_observe.v1 import export_service_pb2 as export
from llm_observe.v1 import report_service_pb2 as report
from llm_observe.v1 import trace_service_pb2 as trace
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.conversation_pb2 import Conversation
from llm_observe.v1.conversation_service_pb2_grpc import ConversationServiceStub
from llm_observe.v1.event_service_pb2_grpc import EventServiceStub
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from llm_observe.v1.report_service_pb2_grpc import ReportServiceStub

from server.rpc import auth, pipeline
from storage import api_keys
from storage.dead_letters import NewDeadLetter, add_dead_letters
from storage.exports import add_export
from tests.support.keys import make_key
from tests.support.logs import make_log, make_request
from tests.support.methods import METHODS, call, reason_of
from tests.support.rollups import merge_all
from tests.support.rpc import bearer, info_of, stub
from tests.support.waiting import eventually
from tests.support.worker import running_worker


@pytest.fixture
async def ours(locked_channel, database, sql, database_url, queue_settings):
    """Rows of every kind in the project ours, and a key of all roles for the project theirs."""
    secret = await make_key(database, *api_keys.ROLES, project="ours")
    async with running_worker(database_url, queue_settings):
        log = make_log(model="ours-model", errorCode="ours-error", outcome="OUTCOME_ERROR", traceId=OUR_TRACE)
        await stub(IngestServiceStub, locked_channel).IngestLogs(make_request(log), metadata=bearer(secret))
        answer = await call(
            locked_channel,
            "ChatService/Chat",
            chat.ChatRequest(turn=chat.ChatTurn(session_id="s", provider="demo", content="ours words")),
            secret,
        )

        async def both_logged():
            return await sql.fetchval("SELECT count(*) FROM logs WHERE project_id = 'ours'") == 2

        await eventually(both_logged)
    now = datetime.now(UTC)
    letter = NewDeadLetter(
        project_id="ours",
        reason="refused",
        message="why",
        log_id="",
        log_count=1,
        attempt_count=1,
        first_attempt_time=now,
        payload="{}",
        producer_id="",
        dedup_key="ours-letter",
    )
    await add_dead_letters(database, [letter], ())
    export_id = uuid.uuid4()
    await add_export(
        database, export_id=export_id, project_id="ours", start_time=now, end_time=now, checks_files=False
    )
    alerts = await make_alerts(locked_channel, secret)
    letter_id = await sql.fetchval("SELECT dead_letter_id FROM dead_letters")
    key_id = await sql.fetchval("SELECT api_key_id FROM api_keys WHERE project_id = 'ours'")
    return {
        "secret": secret,
        "log_id": log.log_id,
        "conversation_id": answer.started.conversation_id,
        "dead_letter_id": str(letter_id),
        "api_key_id": str(key_id),
        "export_id": str(export_id),
        **alerts,
        "their_secret": await make_key(database, *api_keys.ROLES, project="theirs"),
    }


async def make_alerts(locked_channel, secret) -> dict[str, str]:
    """Make a rule, a budget and a channel; return their ids."""
    rule = alert.AlertRule(display_name="ours", metric=alert.ALERT_METRIC_ERROR_RATE, threshold=0.5)
    budget = alert.Budget(display_name="ours", period=alert.BUDGET_PERIOD_MONTH, amount_nano_usd=1)
    url = "https://hooks.example.com/" + "ours"
    channel = alert.Channel(display_name="ours", type=alert.CHANNEL_TYPE_WEBHOOK, url=url)
    made = [
        await call(locked_channel, f"AlertService/{method}", request, secret)
        for method, request in (
            ("CreateAlertRule", alert.CreateAlertRuleRequest(alert_rule=rule)),
            ("CreateBudget", alert.CreateBudgetRequest(budget=budget)),
            ("CreateChannel", alert.CreateChannelRequest(channel=channel)),
        )
    ]
    return {
        "alert_rule_id": made[0].alert_rule.alert_rule_id,
        "budget_id": made[1].budget.budget_id,
        "channel_id": made[2].channel.channel_id,
    }


def of_ours(kind):
    return lambda ours: kind(conversation_id=ours["conversation_id"])


OUR_TRACE = "0af7651916cd43dd8448eb211c80319c"
MISSING, EMPTY, OTHER = "missing", "empty", "other"
CROSSINGS = {
    "AdminService/GetQueueStats": (OTHER, "numbers of the queue, no row"),
    "AdminService/ListDeadLetters": (EMPTY, lambda ours: admin.ListDeadLettersRequest()),
    "AdminService/GetDeadLetter": (
        MISSING,
        lambda ours: admin.GetDeadLetterRequest(dead_letter_id=ours["dead_letter_id"]),
    ),
    "AdminService/ReplayDeadLetters": (EMPTY, lambda ours: admin.ReplayDeadLettersRequest()),
    "AdminService/DiscardDeadLetters": (EMPTY, lambda ours: admin.DiscardDeadLettersRequest()),
    "AdminService/QueryLedger": (EMPTY, lambda ours: admin.QueryLedgerRequest()),
    "AdminService/CreateProject": (OTHER, "refused to every key, tested above"),
    "AdminService/ListProjects": (OTHER, "tested below"),
    "AdminService/GetCaller": (EMPTY, lambda ours: admin.GetCallerRequest()),
    "AdminService/CreateApiKey": (
        MISSING,
        lambda ours: admin.CreateApiKeyRequest(project_id="ours", roles=[admin.API_KEY_ROLE_ADMIN]),
    ),
    "AdminService/ListApiKeys": (MISSING, lambda ours: admin.ListApiKeysRequest(project_id="ours")),
    "AdminService/RevokeApiKey": (
        MISSING,
        lambda ours: admin.RevokeApiKeyRequest(api_key_id=ours["api_key_id"]),
    ),
    "AlertService/CreateAlertRule": (OTHER, "creates a row of the caller's project"),
    "AlertService/GetAlertRule": (
        MISSING,
        lambda ours: alert.GetAlertRuleRequest(alert_rule_id=ours["alert_rule_id"]),
    ),
    "AlertService/ListAlertRules": (EMPTY, lambda ours: alert.ListAlertRulesRequest()),
    "AlertService/UpdateAlertRule": (
        MISSING,
        lambda ours: alert.UpdateAlertRuleRequest(
            alert_rule=alert.AlertRule(alert_rule_id=ours["alert_rule_id"], display_name="theirs"),
            update_mask=FieldMask(paths=["display_name"]),
        ),
    ),
    "AlertService/DeleteAlertRule": (
        MISSING,
        lambda ours: alert.DeleteAlertRuleRequest(alert_rule_id=ours["alert_rule_id"]),
    ),
    "AlertService/EvaluateAlertRule": (OTHER, "reads the rollups that GetSummary reads"),
    "AlertService/CreateBudget": (OTHER, "creates a row of the caller's project"),
    "AlertService/GetBudget": (MISSING, lambda ours: alert.GetBudgetRequest(budget_id=ours["budget_id"])),
    "AlertService/ListBudgets": (EMPTY, lambda ours: alert.ListBudgetsRequest()),
    "AlertService/UpdateBudget": (
        MISSING,
        lambda ours: alert.UpdateBudgetRequest(
            budget=alert.Budget(budget_id=ours["budget_id"], display_name="theirs"),
            update_mask=FieldMask(paths=["display_name"]),
        ),
    ),
    "AlertService/DeleteBudget": (
        MISSING,
        lambda ours: alert.DeleteBudgetRequest(budget_id=ours["budget_id"]),
    ),
    "AlertService/CreateChannel": (OTHER, "creates a row of the caller's project"),
    "AlertService/ListChannels": (EMPTY, lambda ours: alert.ListChannelsRequest()),
    "AlertService/UpdateChannel": (
        MISSING,
        lambda ours: alert.UpdateChannelRequest(
            channel=alert.Channel(channel_id=ours["channel_id"], display_name="theirs"),
            update_mask=FieldMask(paths=["display_name"]),
        ),
    ),
    "AlertService/DeleteChannel": (
        MISSING,
        lambda ours: alert.DeleteChannelRequest(channel_id=ours["channel_id"]),
    ),
    "AlertService/TestChannel": (
        MISSING,
        lambda ours: alert.TestChannelRequest(channel_id=ours["channel_id"]),
    ),
    "AlertService/ListAlerts": (EMPTY, lambda ours: alert.ListAlertsRequest()),
    "AnalyticsService/GetSummary": (EMPTY, lambda ours: analytics.GetSummaryRequest()),
    "AnalyticsService/QueryTimeSeries": (EMPTY, lambda ours: analytics.QueryTimeSeriesRequest()),
    "AnalyticsService/QueryBreakdown": (
        EMPTY,
        lambda ours: analytics.QueryBreakdownRequest(dimension=analytics.DIMENSION_MODEL),
    ),
    "AnalyticsService/ListFacets": (EMPTY, lambda ours: analytics.ListFacetsRequest()),
    "AnalyticsService/ListLogs": (EMPTY, lambda ours: analytics.ListLogsRequest()),
    "AnalyticsService/GetTrace": (EMPTY, lambda ours: analytics.GetTraceRequest(trace_id=OUR_TRACE)),
    "TraceService/GetTrace": (EMPTY, lambda ours: trace.TraceServiceGetTraceRequest(trace_id=OUR_TRACE)),
    "TraceService/ListTraces": (EMPTY, lambda ours: trace.ListTracesRequest()),
    "AnalyticsService/ExportLogsCsv": (EMPTY, lambda ours: analytics.ExportLogsCsvRequest()),
    "AnalyticsService/ListReleases": (EMPTY, lambda ours: analytics.ListReleasesRequest()),
    "AnalyticsService/ListErrors": (EMPTY, lambda ours: analytics.ListErrorsRequest()),
    "AnalyticsService/GetLog": (MISSING, lambda ours: analytics.GetLogRequest(log_id=ours["log_id"])),
    "ChatService/ListModels": (OTHER, "settings of the server, no row"),
    "ChatService/Chat": (
        MISSING,
        lambda ours: chat.ChatRequest(turn=their_turn(ours)),
    ),
    "ChatService/StreamChat": (
        MISSING,
        lambda ours: chat.StreamChatRequest(turn=their_turn(ours)),
    ),
    "ConversationService/CreateConversation": (OTHER, "creates a row of the caller's project"),
    "ConversationService/GetConversation": (MISSING, of_ours(conversation.GetConversationRequest)),
    "ConversationService/ListConversations": (EMPTY, lambda ours: conversation.ListConversationsRequest()),
    "ConversationService/UpdateConversation": (
        MISSING,
        lambda ours: conversation.UpdateConversationRequest(
            conversation=Conversation(conversation_id=ours["conversation_id"], title="theirs")
        ),
    ),
    "ConversationService/CancelConversation": (MISSING, of_ours(conversation.CancelConversationRequest)),
    "ConversationService/ResumeConversation": (MISSING, of_ours(conversation.ResumeConversationRequest)),
    "ConversationService/CompleteConversation": (MISSING, of_ours(conversation.CompleteConversationRequest)),
    "ConversationService/DeleteConversation": (MISSING, of_ours(conversation.DeleteConversationRequest)),
    "ConversationService/ListMessages": (MISSING, of_ours(conversation.ListMessagesRequest)),
    "EventService/WatchLogs": (OTHER, "tested below"),
    "ExportService/CreateExport": (OTHER, "creates a row of the caller's project"),
    "ExportService/GetExport": (MISSING, lambda ours: export.GetExportRequest(export_id=ours["export_id"])),
    "ExportService/ListExports": (EMPTY, lambda ours: export.ListExportsRequest()),
    "ExportService/CancelExport": (
        MISSING,
        lambda ours: export.CancelExportRequest(export_id=ours["export_id"]),
    ),
    "HealthService/Check": (OTHER, "numbers of the stores, no row"),
    "IngestService/IngestLogs": (OTHER, "tested below"),
    "IngestService/IngestSpans": (OTHER, "tested in test_sdk_spans.py"),
    "ReportService/ListReports": (OTHER, "the same for all, no row"),
    "ReportService/RunReport": (OTHER, "tested below"),
    "ReportService/DescribeTables": (OTHER, "the same for all, no row"),
    "ReportService/RunSql": (OTHER, "tested below"),
}
"""By method: what a key of another project gets when it asks for our rows."""


def their_turn(ours) -> chat.ChatTurn:
    return chat.ChatTurn(
        session_id="s", provider="demo", content="hi", conversation_id=ours["conversation_id"]
    )


async def our_rows(sql, database) -> list[str]:
    await merge_all(database)  # as a worker does at any moment
    tables = (
        "logs",
        "log_keys",
        "conversations",
        "messages",
        "dead_letters",
        "rollups",
        "api_keys",
        "exports",
        "alert_rules",
        "budgets",
        "alert_channels",
    )
    found = []
    for table in tables:
        rows = await sql.fetch(
            # A worker evaluates rules at any moment.
            f"SELECT (to_jsonb(t) - 'last_use_time' - 'evaluate_time')::text AS row FROM {table} AS t "
            "WHERE project_id = 'ours' ORDER BY 1"
        )
        found += [row["row"] for row in rows]
    return found


async def test_no_method_reaches_another_projects_rows(locked_channel, sql, database, ours):
    before = await our_rows(sql, database)
    for method in sorted(METHODS):
        expected, make = CROSSINGS[method]  # a method without a rule fails here
        if expected == OTHER:
            continue
        running = call(locked_channel, method, make(ours), ours["their_secret"])
        if expected == MISSING:
            assert (await reason_of(running)).endswith("_NOT_FOUND"), method
        else:
            shown = str(await running)
            assert "ours" not in shown, method
            assert "request_count: 1" not in shown, method
    assert await our_rows(sql, database) == before
    # Our own key must see the rows, or the above would prove nothing.
    for method in (
        "AnalyticsService/ListErrors",
        "AnalyticsService/ListLogs",
        "AnalyticsService/GetTrace",
        "TraceService/GetTrace",
        "TraceService/ListTraces",
        "AnalyticsService/ListFacets",
        "AnalyticsService/QueryBreakdown",
        "AlertService/ListAlertRules",
        "AlertService/ListBudgets",
        "AlertService/ListChannels",
    ):
        seen = await call(locked_channel, method, CROSSINGS[method][1](ours), ours["secret"])
        assert "ours" in str(seen), method
    letters = await call(
        locked_channel, "AdminService/ListDeadLetters", admin.ListDeadLettersRequest(), ours["secret"]
    )
    assert len(letters.dead_letters) == 1


async def test_a_log_cannot_be_overwritten_from_another_project(locked_channel, sql, database, ours, worker):
    before = await our_rows(sql, database)
    stolen = make_log(logId=ours["log_id"], model="theirs")
    ingest = stub(IngestServiceStub, locked_channel)
    await ingest.IngestLogs(make_request(stolen), metadata=bearer(ours["their_secret"]))

    async def dead_lettered():
        return await sql.fetchval("SELECT project_id FROM dead_letters WHERE reason = 'foreign_log'")

    assert await eventually(dead_lettered) == "theirs"
    assert await our_rows(sql, database) == before


async def test_a_key_sees_its_own_project_only(locked_channel, ours):
    found = await call(
        locked_channel, "AdminService/ListProjects", admin.ListProjectsRequest(), ours["their_secret"]
    )
    assert [project.project_id for project in found.projects] == ["theirs"]


async def watch(channel, secret: str):
    """Return a live tail of what is stored from now on."""
    running = stub(EventServiceStub, channel).WatchLogs(event.WatchLogsRequest(), metadata=bearer(secret))
    await running.read()
    return running


async def test_the_live_tail_shows_its_own_project_only(locked_channel, ours, worker):
    tails = {name: await watch(locked_channel, ours[name]) for name in ("secret", "their_secret")}
    ingest = stub(IngestServiceStub, locked_channel)
    for name, tail in tails.items():
        await ingest.IngestLogs(make_request(make_log(model=name)), metadata=bearer(ours[name]))
        assert [log.model for log in (await tail.read()).logs] == [name]
        tail.cancel()


async def test_revoking_a_key_ends_its_live_tail(locked_channel, database, ours, worker, monkeypatch):
    for module in (auth, pipeline):
        monkeypatch.setattr(module, "KEY_CACHE_TTL_S", -1.0)  # each call looks up its key
    tail = await watch(locked_channel, await make_key(database, "read", project="ours"))  # not cached yet
    newest = (await api_keys.list_api_keys(database, "ours"))[0]
    other = await make_key(database, "ingest", project="ours")
    await api_keys.revoke_api_key(database, newest.api_key_id)
    ingest = stub(IngestServiceStub, locked_channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while True:  # a key stays valid for longer if the database does not answer in time
            await ingest.IngestLogs(make_request(make_log(model="late")), metadata=bearer(other))
            await tail.read()
    assert info_of(caught.value)[0] == "UNAUTHENTICATED"


async def test_request_ids_are_scoped_to_a_project(locked_channel, ours):
    request = conversation.CreateConversationRequest(session_id="s", request_id=str(uuid.uuid4()))
    created = [
        await call(locked_channel, "ConversationService/CreateConversation", request, secret)
        for secret in (ours["secret"], ours["their_secret"])
    ]
    assert created[0].conversation.conversation_id != created[1].conversation.conversation_id


async def test_reports_and_sql_are_scoped_to_a_project(locked_channel, ours):
    service = stub(ReportServiceStub, locked_channel)
    asked = (
        lambda secret: service.RunReport(
            report.RunReportRequest(name="unpriced-models"), metadata=bearer(secret)
        ),
        lambda secret: service.RunSql(
            report.RunSqlRequest(sql="SELECT model, project_id FROM logs"), metadata=bearer(secret)
        ),
    )
    for ask in asked:
        for name, rows in (("secret", True), ("their_secret", False)):
            parts = [part async for part in ask(ours[name])]
            assert any(b"ours-model" in part.arrow for part in parts) is rows
            assert (parts[-1].end.row_count > 0) is rows


async def test_analytics_are_scoped_to_a_project(locked_channel, ours):
    service = stub(AnalyticsServiceStub, locked_channel)
    counts = []
    for secret in (ours["secret"], ours["their_secret"]):
        found = await service.GetSummary(analytics.GetSummaryRequest(), metadata=bearer(secret))
        counts.append(found.current.request_count)
    assert counts == [2, 0]
    listed = await stub(ConversationServiceStub, locked_channel).ListConversations(
        conversation.ListConversationsRequest(), metadata=bearer(ours["secret"])
    )
    assert listed.total_count == 1
