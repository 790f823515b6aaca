"""API keys: authentication, roles, and their administration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import analytics_service_pb2 as analytics
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from server.rpc import auth
from server.rpc.auth import Authenticator, caller, roles_for
from server.rpc.errors import DatabaseIsUnavailable, Unauthenticated
from storage import api_keys
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.keys import make_key
from tests.support.methods import METHODS, call, empty_request, reason_of
from tests.support.rpc import bearer, stub

FOR_ANY_ROLE = "AdminService/GetCaller"
GUARDED = [method for method in sorted(METHODS) if not method.startswith("Health")]


async def test_every_method_requires_a_key(locked_channel):
    for method in GUARDED:
        reason = await reason_of(call(locked_channel, method, empty_request(method)))
        assert reason == "UNAUTHENTICATED", method


async def test_health_requires_no_key(locked_channel):
    assert await stub(HealthServiceStub, locked_channel).Check(CheckRequest())


async def test_every_method_requires_a_role(locked_channel, database):
    for method in GUARDED:
        others = sorted(set(api_keys.ROLES) - roles_for(*method.split("/")))
        if method == FOR_ANY_ROLE:
            assert not others
            continue
        secret = await make_key(database, *others)
        reason = await reason_of(call(locked_channel, method, empty_request(method), secret))
        assert reason == "PERMISSION_DENIED", method


@pytest.mark.parametrize("role", api_keys.ROLES)
async def test_a_caller_is_told_its_project_and_roles(locked_channel, database, role):
    secret = await make_key(database, role, project="theirs")
    answer = await call(locked_channel, FOR_ANY_ROLE, admin.GetCallerRequest(), secret)
    assert answer.project.project_id == "theirs"
    assert answer.roles == [admin.ApiKeyRole.Value(f"API_KEY_ROLE_{role.upper()}")]
    [key] = await api_keys.list_api_keys(database, "theirs")
    assert answer.api_key_id == str(key.api_key_id)


async def test_a_caller_without_a_key_has_all_roles_of_the_default_project(channel):
    answer = await call(channel, FOR_ANY_ROLE, admin.GetCallerRequest())
    assert answer.project.project_id == api_keys.DEFAULT_PROJECT
    assert len(answer.roles) == len(api_keys.ROLES)
    assert not answer.api_key_id


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
async def test_a_malformed_key_is_refused(locked_channel, authorization):
    running = stub(AdminServiceStub, locked_channel).ListProjects(
        admin.ListProjectsRequest(), metadata=(("authorization", authorization),)
    )
    assert await reason_of(running) == "UNAUTHENTICATED"


async def test_a_known_prefix_with_a_wrong_secret_is_refused(locked_channel, database):
    secret = await make_key(database, "admin")
    wrong = secret[:-4] + ("aaaa" if not secret.endswith("aaaa") else "bbbb")
    assert (
        await reason_of(call(locked_channel, "AdminService/ListProjects", admin.ListProjectsRequest(), wrong))
        == "UNAUTHENTICATED"
    )


async def test_using_a_key_records_the_time(locked_channel, database):
    secret = await make_key(database, "read")
    await call(locked_channel, "AnalyticsService/GetSummary", analytics.GetSummaryRequest(), secret)
    assert (await api_keys.list_api_keys(database, "default"))[0].last_use_time is not None


async def test_keys_are_created_listed_and_revoked_over_grpc(locked_channel, database, sql, monkeypatch):
    monkeypatch.setattr(auth, "KEY_CACHE_TTL_S", -1.0)  # each call looks up its key
    first = await make_key(database, "admin")
    created = await call(
        locked_channel,
        "AdminService/CreateApiKey",
        admin.CreateApiKeyRequest(
            project_id="default", display_name="reader", roles=[admin.API_KEY_ROLE_READ]
        ),
        first,
    )
    assert created.secret.startswith(created.api_key.prefix)
    summary = analytics.GetSummaryRequest()
    await call(locked_channel, "AnalyticsService/GetSummary", summary, created.secret)
    listed = await call(
        locked_channel, "AdminService/ListApiKeys", admin.ListApiKeysRequest(project_id="default"), first
    )
    assert [key.display_name for key in listed.api_keys] == ["reader", ""]
    assert created.secret not in str(listed)
    revoke = admin.RevokeApiKeyRequest(api_key_id=created.api_key.api_key_id)
    for _ in range(2):
        assert (await call(locked_channel, "AdminService/RevokeApiKey", revoke, first)).api_key.HasField(
            "revoke_time"
        )

    again = call(locked_channel, "AnalyticsService/GetSummary", summary, created.secret)
    assert await reason_of(again) == "UNAUTHENTICATED"
    rows = await sql.fetch("SELECT k::text AS shown FROM api_keys AS k")
    assert not any(created.secret in row["shown"] for row in rows)


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
async def test_invalid_keys_are_not_created(channel, database, fields, reason):
    assert (
        await reason_of(call(channel, "AdminService/CreateApiKey", admin.CreateApiKeyRequest(**fields)))
        == reason
    )
    assert await api_keys.list_api_keys(database, "default") == []


async def test_projects_are_created_only_without_a_key(channel, locked_channel, database):
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


class Clock:
    """A monotonic clock that the test sets."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


INGEST = roles_for("IngestService", "IngestLogs")


@pytest.mark.parametrize("column", ["expire_time", "revoke_time"])
async def test_an_expired_or_revoked_key_is_refused_within_seconds(database, sql, column):
    secret = await make_key(database, "ingest", expire_time=datetime.now(UTC) + timedelta(days=1))
    clock = Clock()
    authenticator = Authenticator(database, required=True, clock=clock)
    await authenticator.authorize(bearer(secret), INGEST)
    await sql.execute(f"UPDATE api_keys SET {column} = now()")
    clock.now_s = auth.KEY_CACHE_TTL_S
    await authenticator.authorize(bearer(secret), INGEST)
    clock.now_s += 0.1
    with pytest.raises(Unauthenticated):
        await authenticator.authorize(bearer(secret), INGEST)


async def test_a_cached_key_stays_valid_while_the_database_is_unavailable(database):
    secret = await make_key(database, "ingest")
    clock = Clock()
    authenticator = Authenticator(database, required=True, clock=clock)
    await authenticator.authorize(bearer(secret), INGEST)
    authenticator._database = Database(StorageSettings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    clock.now_s = 300.0
    await authenticator.authorize(bearer(secret), INGEST)
    assert caller().project_id == "default"
    with pytest.raises(DatabaseIsUnavailable):
        await authenticator.authorize(bearer("llmo_" + "0" * 60), INGEST)
    with pytest.raises(Unauthenticated):
        await authenticator.authorize(bearer(secret[:-2] + "!!"), INGEST)
    clock.now_s = 1000.0
    with pytest.raises(DatabaseIsUnavailable):
        await authenticator.authorize(bearer(secret), INGEST)
