"""Keys: who is let in, what they may do, and that no project sees another's rows, whatever is called."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import analytics_service_pb2 as analytics
from llm_observe.v1 import chat_service_pb2 as chat
from llm_observe.v1 import conversation_service_pb2 as conversation
from llm_observe.v1 import event_service_pb2 as event
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.conversation_pb2 import Conversation
from llm_observe.v1.conversation_service_pb2_grpc import ConversationServiceStub
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from server.app import build_server
from server.rpc.auth import Authenticator, caller, roles_for
from server.rpc.errors import DatabaseIsUnavailable, Unauthenticated
from storage import api_keys
from storage.dead_letters import NewDeadLetter, add_dead_letters
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.logs import make_log, make_request
from tests.support.processes import start_worker, stop
from tests.support.rpc import info_of, stub
from tests.support.server import SERVICES, make_config
from tests.support.waiting import eventually

METHODS = sorted(
    f"{service.name}/{method.name}" for service in SERVICES.values() for method in service.methods
)


@pytest.fixture
async def locked(database_url, queue_settings):
    """A server that wants keys."""
    running = await build_server(
        make_config(
            database_url,
            queue_settings,
            require_keys=True,
        )
    )
    yield running
    await running.stop(0.5)


@pytest.fixture
async def locked_channel(locked):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{locked.port}") as opened:
        yield opened


async def make_key(database, *roles: str, project: str = "default", **rest) -> str:
    await api_keys.create_project(database, project_id=project)
    made = await api_keys.create_api_key(database, project_id=project, roles=roles, **rest)
    assert made is not None
    return made.secret


def bearer(secret: str):
    return (("authorization", f"Bearer {secret}"),)


def call(channel, method: str, request, secret: str = ""):
    """Call a method by name; a stream's first answer counts."""
    service, name = method.split("/")
    described = SERVICES[service].methods_by_name[name]
    kind = channel.unary_stream if described.server_streaming else channel.unary_unary
    rpc = kind(
        f"/llm_observe.v1.{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(described.output_type).FromString,
    )
    metadata = bearer(secret) if secret else ()
    running = rpc(request, metadata=metadata, timeout=5)
    return running.read() if described.server_streaming else running


def empty_request(method: str):
    service, name = method.split("/")
    return GetMessageClass(SERVICES[service].methods_by_name[name].input_type)()


async def reason_of(running) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running
    return info_of(caught.value)[0]


# -- keys ----------------------------------------------------------------------------------------------


GUARDED = [method for method in METHODS if not method.startswith("Health")]


async def test_every_method_wants_a_key(locked_channel):
    for method in GUARDED:
        reason = await reason_of(call(locked_channel, method, empty_request(method)))
        assert reason == "UNAUTHENTICATED", method


async def test_health_is_for_anybody(locked_channel):
    assert await stub(HealthServiceStub, locked_channel).Check(CheckRequest())


async def test_every_method_wants_a_role(locked_channel, database):
    for method in GUARDED:
        others = sorted(set(api_keys.ROLES) - roles_for(*method.split("/")))
        secret = await make_key(database, *others)
        reason = await reason_of(call(locked_channel, method, empty_request(method), secret))
        assert reason == "PERMISSION_DENIED", method


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Basic abc",
        "llmo_12345678abc",
        "Bearer llmo_1234567",
        "Bearer " + "x" * 3000,
    ],
)
async def test_what_is_no_key_is_refused(locked_channel, authorization):
    running = stub(AdminServiceStub, locked_channel).ListProjects(
        admin.ListProjectsRequest(), metadata=(("authorization", authorization),)
    )
    assert await reason_of(running) == "UNAUTHENTICATED"


async def test_a_good_prefix_with_another_secret_is_refused(locked_channel, database):
    secret = await make_key(database, "admin")
    wrong = secret[:-4] + ("aaaa" if not secret.endswith("aaaa") else "bbbb")
    assert (
        await reason_of(call(locked_channel, "AdminService/ListProjects", admin.ListProjectsRequest(), wrong))
        == "UNAUTHENTICATED"
    )


async def test_an_expired_key_is_refused_and_a_used_one_says_when(locked_channel, database):
    later = datetime.now(UTC) + timedelta(seconds=0.4)
    secret = await make_key(database, "read", expire_time=later)
    request = analytics.GetSummaryRequest()
    await call(locked_channel, "AnalyticsService/GetSummary", request, secret)
    assert (await api_keys.list_api_keys(database, "default"))[0].last_use_time is not None
    await asyncio.sleep(3.6)
    assert (
        await reason_of(call(locked_channel, "AnalyticsService/GetSummary", request, secret))
        == "UNAUTHENTICATED"
    )


async def test_keys_are_made_listed_and_revoked_over_grpc(locked_channel, database):
    first = await make_key(database, "admin")
    made = await call(
        locked_channel,
        "AdminService/CreateApiKey",
        admin.CreateApiKeyRequest(
            project_id="default", display_name="reader", roles=[admin.API_KEY_ROLE_READ]
        ),
        first,
    )
    assert made.secret.startswith(made.api_key.prefix)
    summary = analytics.GetSummaryRequest()
    await call(locked_channel, "AnalyticsService/GetSummary", summary, made.secret)
    listed = await call(
        locked_channel, "AdminService/ListApiKeys", admin.ListApiKeysRequest(project_id="default"), first
    )
    assert [key.display_name for key in listed.api_keys] == ["reader", ""]
    assert made.secret not in str(listed)
    revoke = admin.RevokeApiKeyRequest(api_key_id=made.api_key.api_key_id)
    for _ in range(2):
        assert (await call(locked_channel, "AdminService/RevokeApiKey", revoke, first)).api_key.HasField(
            "revoke_time"
        )

    async def shut_out():
        try:
            await call(locked_channel, "AnalyticsService/GetSummary", summary, made.secret)
        except grpc.aio.AioRpcError as error:
            return info_of(error)[0] == "UNAUTHENTICATED"
        return False

    await eventually(shut_out, 5)
    async with database.connection() as connection:
        kept = await connection._raw.fetch("SELECT k::text AS shown FROM api_keys AS k")
    assert not any(made.secret in row["shown"] for row in kept)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"project_id": "nobody", "roles": [1]}, "PROJECT_NOT_FOUND"),
        ({"project_id": "default"}, "INVALID_FIELD"),
        ({"project_id": "default", "roles": [0]}, "INVALID_FIELD"),
        ({"project_id": "default", "roles": [9]}, "INVALID_FIELD"),
        ({"project_id": "default", "roles": [1], "expire_time": {"seconds": 40_000_000}}, "INVALID_FIELD"),
    ],
)
async def test_wrong_keys_are_not_made(channel, database, fields, reason):
    assert (
        await reason_of(call(channel, "AdminService/CreateApiKey", admin.CreateApiKeyRequest(**fields)))
        == reason
    )
    assert await api_keys.list_api_keys(database, "default") == []


async def test_projects_are_made_without_a_key_only(channel, locked_channel, database):
    request = admin.CreateProjectRequest(project=admin.Project(project_id="acme", display_name="Acme"))
    assert (await call(channel, "AdminService/CreateProject", request)).project.display_name == "Acme"
    assert await reason_of(call(channel, "AdminService/CreateProject", request)) == "PROJECT_ALREADY_EXISTS"
    wrong = admin.CreateProjectRequest(project=admin.Project(project_id="No Such"))
    assert await reason_of(call(channel, "AdminService/CreateProject", wrong)) == "INVALID_FIELD"
    secret = await make_key(database, "admin")
    assert (
        await reason_of(call(locked_channel, "AdminService/CreateProject", request, secret))
        == "PERMISSION_DENIED"
    )


async def test_a_known_key_is_good_while_the_database_is_away(database):
    secret = await make_key(database, "ingest")
    now = [0.0]
    authenticator = Authenticator(database, required=True, clock=lambda: now[0])
    allowed = roles_for("IngestService", "IngestLogs")

    await authenticator.authorize(bearer(secret), allowed)
    authenticator._database = Database(StorageSettings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    now[0] = 300.0
    await authenticator.authorize(bearer(secret), allowed)
    assert caller().project_id == "default"
    with pytest.raises(DatabaseIsUnavailable):
        await authenticator.authorize(bearer("llmo_" + "0" * 60), allowed)
    with pytest.raises(Unauthenticated):
        await authenticator.authorize(bearer(secret[:-2] + "!!"), allowed)
    now[0] = 1000.0
    with pytest.raises(DatabaseIsUnavailable):
        await authenticator.authorize(bearer(secret), allowed)


# -- two projects --------------------------------------------------------------------------------------


@pytest.fixture
async def ours(locked_channel, database, database_url, queue_settings, tmp_path):
    """Rows of every kind in the project ours, and a key of all roles for the project theirs."""
    secret = await make_key(database, *api_keys.ROLES, project="ours")
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:
        log = make_log(model="ours-model", errorCode="ours-error", outcome="OUTCOME_ERROR")
        await stub(IngestServiceStub, locked_channel).IngestLogs(make_request(log), metadata=bearer(secret))
        answer = await call(
            locked_channel,
            "ChatService/Chat",
            chat.ChatRequest(turn=chat.ChatTurn(session_id="s", provider="demo", content="ours words")),
            secret,
        )

        async def both_logged():
            async with database.connection() as connection:
                return (
                    await connection._raw.fetchval("SELECT count(*) FROM logs WHERE project_id = 'ours'") == 2
                )

        await eventually(both_logged)
    finally:
        stop(worker)
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
    async with database.connection() as connection:
        letter_id = await connection._raw.fetchval("SELECT dead_letter_id FROM dead_letters")
        key_id = await connection._raw.fetchval("SELECT api_key_id FROM api_keys WHERE project_id = 'ours'")
    return {
        "secret": secret,
        "log_id": log.log_id,
        "conversation_id": answer.started.conversation_id,
        "dead_letter_id": str(letter_id),
        "api_key_id": str(key_id),
        "their_secret": await make_key(database, *api_keys.ROLES, project="theirs"),
    }


def named(kind):
    return lambda ours: kind(conversation_id=ours["conversation_id"])


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
    "AdminService/CreateApiKey": (
        MISSING,
        lambda ours: admin.CreateApiKeyRequest(project_id="ours", roles=[admin.API_KEY_ROLE_ADMIN]),
    ),
    "AdminService/ListApiKeys": (MISSING, lambda ours: admin.ListApiKeysRequest(project_id="ours")),
    "AdminService/RevokeApiKey": (
        MISSING,
        lambda ours: admin.RevokeApiKeyRequest(api_key_id=ours["api_key_id"]),
    ),
    "AnalyticsService/GetSummary": (EMPTY, lambda ours: analytics.GetSummaryRequest()),
    "AnalyticsService/QueryTimeSeries": (EMPTY, lambda ours: analytics.QueryTimeSeriesRequest()),
    "AnalyticsService/QueryBreakdown": (
        EMPTY,
        lambda ours: analytics.QueryBreakdownRequest(dimension=analytics.DIMENSION_MODEL),
    ),
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
    "ConversationService/CreateConversation": (OTHER, "makes a row of the caller's"),
    "ConversationService/GetConversation": (MISSING, named(conversation.GetConversationRequest)),
    "ConversationService/ListConversations": (EMPTY, lambda ours: conversation.ListConversationsRequest()),
    "ConversationService/UpdateConversation": (
        MISSING,
        lambda ours: conversation.UpdateConversationRequest(
            conversation=Conversation(conversation_id=ours["conversation_id"], title="theirs")
        ),
    ),
    "ConversationService/CancelConversation": (MISSING, named(conversation.CancelConversationRequest)),
    "ConversationService/ResumeConversation": (MISSING, named(conversation.ResumeConversationRequest)),
    "ConversationService/CompleteConversation": (MISSING, named(conversation.CompleteConversationRequest)),
    "ConversationService/DeleteConversation": (MISSING, named(conversation.DeleteConversationRequest)),
    "ConversationService/ListMessages": (MISSING, named(conversation.ListMessagesRequest)),
    "EventService/WatchLogs": (OTHER, "tested below"),
    "HealthService/Check": (OTHER, "numbers of the stores, no row"),
    "IngestService/IngestLogs": (OTHER, "tested below"),
}
"""Every method: what a key of another project gets for our rows."""
NOT_BUILT = ("AnalyticsService/ListLogs", "AnalyticsService/ExportLogsCsv", "ExportService/")
"""They answer NOT_IMPLEMENTED, which the test below holds them to."""


def their_turn(ours) -> chat.ChatTurn:
    return chat.ChatTurn(
        session_id="s", provider="demo", content="hi", conversation_id=ours["conversation_id"]
    )


async def rows_of(database) -> list[str]:
    tables = ("logs", "log_keys", "conversations", "messages", "dead_letters", "hourly_rollups", "api_keys")
    found = []
    async with database.connection() as connection:
        for table in tables:
            rows = await connection._raw.fetch(
                f"SELECT (to_jsonb(t) - 'last_use_time')::text AS row FROM {table} AS t "
                "WHERE project_id = 'ours' ORDER BY 1"
            )
            found += [row["row"] for row in rows]
    return found


async def test_no_call_crosses_from_one_project_to_another(locked_channel, database, ours):
    before = await rows_of(database)
    for method in METHODS:
        if method.startswith(NOT_BUILT):
            running = call(locked_channel, method, empty_request(method), ours["their_secret"])
            assert await reason_of(running) == "NOT_IMPLEMENTED", method
            continue
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
    assert await rows_of(database) == before
    # Our own key must see them, or the above would prove nothing.
    for method in ("AnalyticsService/ListErrors", "AnalyticsService/QueryBreakdown"):
        seen = await call(locked_channel, method, CROSSINGS[method][1](ours), ours["secret"])
        assert "ours" in str(seen), method
    letters = await call(
        locked_channel, "AdminService/ListDeadLetters", admin.ListDeadLettersRequest(), ours["secret"]
    )
    assert len(letters.dead_letters) == 1


async def test_a_log_cannot_be_overwritten_from_another_project(
    locked_channel, database, database_url, queue_settings, tmp_path, ours
):
    before = await rows_of(database)
    stolen = make_log(logId=ours["log_id"], model="theirs")
    ingest = stub(IngestServiceStub, locked_channel)
    await ingest.IngestLogs(make_request(stolen), metadata=bearer(ours["their_secret"]))
    worker = start_worker(database_url, queue_settings, tmp_path, "second")
    try:

        async def given_up():
            async with database.connection() as connection:
                return await connection._raw.fetchval(
                    "SELECT project_id FROM dead_letters WHERE reason = 'foreign_log'"
                )

        assert await eventually(given_up) == "theirs"
    finally:
        stop(worker)
    assert await rows_of(database) == before


async def test_a_key_sees_its_own_project_only(locked_channel, ours):
    found = await call(
        locked_channel, "AdminService/ListProjects", admin.ListProjectsRequest(), ours["their_secret"]
    )
    assert [project.project_id for project in found.projects] == ["theirs"]


async def test_the_live_tail_shows_its_own_project_only(
    locked_channel, database_url, queue_settings, tmp_path, ours
):
    async def watch(secret):
        service = locked_channel.unary_stream(
            "/llm_observe.v1.EventService/WatchLogs",
            request_serializer=event.WatchLogsRequest.SerializeToString,
            response_deserializer=event.WatchLogsResponse.FromString,
        )
        running = service(event.WatchLogsRequest(), metadata=bearer(secret), timeout=20)
        await running.read()
        return running

    mine, theirs = await watch(ours["secret"]), await watch(ours["their_secret"])
    worker = start_worker(database_url, queue_settings, tmp_path, "tail")
    try:
        await asyncio.sleep(1)
        ingest = stub(IngestServiceStub, locked_channel)
        await ingest.IngestLogs(make_request(make_log(model="mine")), metadata=bearer(ours["secret"]))
        assert [log.model for log in (await mine.read()).logs] == ["mine"]
        await ingest.IngestLogs(make_request(make_log(model="their")), metadata=bearer(ours["their_secret"]))
        assert [log.model for log in (await theirs.read()).logs] == ["their"]
    finally:
        stop(worker)
        mine.cancel()
        theirs.cancel()


async def test_a_tail_ends_soon_after_its_key(
    locked_channel, database, database_url, queue_settings, tmp_path, ours
):
    service = locked_channel.unary_stream(
        "/llm_observe.v1.EventService/WatchLogs",
        request_serializer=event.WatchLogsRequest.SerializeToString,
        response_deserializer=event.WatchLogsResponse.FromString,
    )
    running = service(event.WatchLogsRequest(), metadata=bearer(ours["secret"]), timeout=30)
    await running.read()
    other = await make_key(database, "ingest", project="ours")
    await api_keys.revoke_api_key(database, uuid.UUID(ours["api_key_id"]))
    worker = start_worker(database_url, queue_settings, tmp_path, "tail")
    try:
        await asyncio.sleep(3.5)
        ingest = stub(IngestServiceStub, locked_channel)
        await ingest.IngestLogs(make_request(make_log(model="late")), metadata=bearer(other))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.read()
    finally:
        stop(worker)
    assert info_of(caught.value)[0] == "UNAUTHENTICATED"


async def test_ids_of_requests_belong_to_a_project(locked_channel, ours):
    request = conversation.CreateConversationRequest(session_id="s", request_id=str(uuid.uuid4()))
    made = [
        await call(locked_channel, "ConversationService/CreateConversation", request, secret)
        for secret in (ours["secret"], ours["their_secret"])
    ]
    assert made[0].conversation.conversation_id != made[1].conversation.conversation_id


async def test_analytics_of_a_key_are_its_projects(locked_channel, ours):
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
