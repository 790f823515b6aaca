"""A Redis or Postgres that hangs (suspended, not closed) delays each call by one timeout only.

Deadlines here are generous: the tests assert the answers, and that calls do not wait for one another.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from llm_observe.v1.admin_service_pb2 import GetQueueStatsRequest
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.chat_service_pb2 import ChatRequest, ChatTurn, StreamChatRequest
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.event_service_pb2 import WatchLogsRequest
from llm_observe.v1.event_service_pb2_grpc import EventServiceStub
from llm_observe.v1.health_service_pb2 import HEALTH_STATE_UNHEALTHY, CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestSpansRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from server.app import build_server
from server.rpc import auth
from server.rpc.auth import KEY_CACHE_TTL_S, STALE_KEY_TTL_S, Authenticator, caller
from server.rpc.errors import DatabaseIsUnavailable, QueueIsUnavailable, RateLimited
from server.rpc.rate_limit import ChatLimits, RateLimiter
from stack import processes
from stack.data_dir import DataDir
from stack.embedded.valkey import EmbeddedValkey
from storage.api_keys import create_api_key, find_api_key
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.logs import make_log, make_request
from tests.support.otlp_bodies import TRACE_ID, body, pairs, span, span_id
from tests.support.recordings import to_protobuf
from tests.support.relay import Relay, relayed
from tests.support.rpc import stub
from tests.support.server import make_config
from tests.support.spans import make_span

DEADLINE_S = 20.0
ROLES = frozenset({"ingest"})


def delay_of(error: Any) -> float:
    """The RetryInfo of an error, in seconds; 0 without."""
    status, retry = rpc_status.from_call(error), error_details_pb2.RetryInfo()
    assert status is not None
    for detail in status.details:
        detail.Unpack(retry)
    return float(retry.retry_delay.ToTimedelta().total_seconds())


async def make_key(database) -> str:
    created = await create_api_key(database, project_id="default", roles=["ingest"])
    assert created is not None
    return created.secret


async def answer_of(call) -> tuple[str, bool]:
    """Return the status of a call, and whether its error has RetryInfo."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.code() is grpc.StatusCode.UNAVAILABLE and delay_of(error) > 0
    return "OK", False


# -- Redis: a suspended Valkey -------------------------------------------------------------------------------


@pytest.fixture
async def valkey(tmp_path):
    home = DataDir(tmp_path)
    home.logs.mkdir()
    own = EmbeddedValkey(home, processes.free_port())
    own.prepare()
    process = processes.start(own.command(), log=home.logs / "valkey.log", env=os.environ)
    await own.wait_ready()
    try:
        yield own, process
    finally:
        process.resume()
        processes.stop(process, signal.SIGTERM, 10)


@pytest.fixture
async def hung(valkey, database_url, queue_settings):
    """A channel to a server whose Valkey has just been suspended."""
    own, process = valkey
    running = await build_server(
        make_config(
            database_url,
            queue_settings.model_copy(update={"redis_url": type(queue_settings.redis_url)(own.url)}),
        )
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        await stub(IngestServiceStub, channel).IngestLogs(make_request(make_log()), timeout=DEADLINE_S)
        process.suspend()
        yield channel
    process.resume()
    await running.stop(0.5)


async def test_every_producer_is_answered_while_redis_hangs(hung, database):
    secrets = [await make_key(database) for _ in range(8)]
    ingest = stub(IngestServiceStub, hung)

    def send(number: int):
        metadata = bearer(secrets[number % len(secrets)])
        return ingest.IngestLogs(make_request(make_log()), timeout=DEADLINE_S, metadata=metadata)

    answers = await asyncio.gather(*(answer_of(send(number)) for number in range(200)))
    assert set(answers) == {("UNAVAILABLE", True)}


def records(number: int) -> dict[str, Any]:
    """Return a request with a log record that tells of a call."""
    record = {
        "traceId": TRACE_ID,
        "spanId": span_id(number + 1),
        "eventName": "gen_ai.user.message",
        "attributes": pairs({"content": "hello"}),
    }
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


CALLS = {
    "IngestLogs": lambda channel, _: stub(IngestServiceStub, channel).IngestLogs(
        make_request(make_log()), timeout=DEADLINE_S
    ),
    "IngestSpans": lambda channel, _: stub(IngestServiceStub, channel).IngestSpans(
        IngestSpansRequest(spans=[make_span()]), timeout=DEADLINE_S
    ),
    "OTLP traces": lambda channel, number: TraceServiceStub(channel).Export(
        to_protobuf(body(span(number + 1))), timeout=DEADLINE_S
    ),
    "OTLP log records": lambda channel, number: LogsServiceStub(channel).Export(
        to_protobuf(records(number)), timeout=DEADLINE_S
    ),
    "Chat": lambda channel, number: stub(ChatServiceStub, channel).Chat(
        ChatRequest(turn=ChatTurn(session_id=f"s{number % 7}", provider="demo", content="hello")),
        timeout=DEADLINE_S,
    ),
    "StreamChat": lambda channel, number: (
        stub(ChatServiceStub, channel)
        .StreamChat(
            StreamChatRequest(turn=ChatTurn(session_id=f"s{number}", provider="demo", content="hello")),
            timeout=DEADLINE_S,
        )
        .read()
    ),
    "WatchLogs": lambda channel, _: (
        stub(EventServiceStub, channel).WatchLogs(WatchLogsRequest(), timeout=DEADLINE_S).read()
    ),
    "GetQueueStats": lambda channel, _: stub(AdminServiceStub, channel).GetQueueStats(
        GetQueueStatsRequest(), timeout=DEADLINE_S
    ),
}


@pytest.mark.parametrize("method", CALLS)
async def test_every_call_that_needs_redis_is_answered_while_it_hangs(hung, method):
    answers = await asyncio.gather(*(answer_of(CALLS[method](hung, number)) for number in range(60)))
    assert set(answers) == {("UNAVAILABLE", True)}


async def test_health_answers_every_caller_while_redis_hangs(hung):
    service = stub(HealthServiceStub, hung)
    found = await asyncio.gather(*(service.Check(CheckRequest(), timeout=DEADLINE_S) for _ in range(60)))
    assert {response.state for response in found} == {HEALTH_STATE_UNHEALTHY}


# -- how often a hung Redis is queried -----------------------------------------------------------------------


class HungRedis:
    """Never answers; counts the calls that wait for it."""

    queue_name = "test"

    def __init__(self) -> None:
        self.redis = self
        self.requested_keys: list[str] = []
        self.waiting = self.most_waiting = 0

    def register_script(self, _text: str):
        return self._wait

    async def _wait(self, keys, args) -> int:
        self.requested_keys += keys
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1
        return 0


async def failures(calls) -> set[type]:
    return {type(result) for result in await asyncio.gather(*calls, return_exceptions=True)}


@pytest.mark.parametrize(("callers", "peers"), [(1, 1), (50, 1), (200, 1), (200, 40)])
async def test_a_hung_redis_is_queried_once_per_peer_and_for_all_peers_concurrently(callers, peers):
    redis: Any = HungRedis()
    limiter = RateLimiter(redis, "ingest", 1000)
    calls = (limiter.take(f"peer{number % peers}", 1 + number % 3) for number in range(callers))
    assert await failures(calls) == {QueueIsUnavailable}
    assert len(redis.requested_keys) == len(set(redis.requested_keys)) == redis.most_waiting == peers


async def test_a_turn_waits_for_a_hung_redis_once():
    redis: Any = HungRedis()
    limits = ChatLimits(redis, session_turns=30, project_turns=600)
    assert await failures(limits.take(f"session{number % 5}") for number in range(100)) == {
        QueueIsUnavailable
    }
    assert len(redis.requested_keys) == redis.most_waiting == 5


async def test_a_cancelled_caller_does_not_affect_the_others():
    answered = asyncio.Event()
    redis: Any = HungRedis()

    async def slow(keys, args) -> int:
        redis.requested_keys += keys
        await answered.wait()
        return int(args[2])

    limiter = RateLimiter(redis, "ingest", 1000, clock=lambda: 1_000_030.0)
    limiter._take_lease = slow
    tasks = [asyncio.create_task(limiter.take("peer", 1)) for _ in range(10)]
    await asyncio.sleep(0)
    tasks[0].cancel()  # the caller that sent the request
    answered.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] + [type(None)] * 9
    assert len(redis.requested_keys) == 1


async def test_a_burst_makes_one_redis_request():
    redis: Any = HungRedis()

    async def grant(keys, args) -> int:
        redis.requested_keys += keys
        return int(args[2])

    limiter = RateLimiter(redis, "ingest", 1000, clock=lambda: 1_000_030.0)
    limiter._take_lease = grant
    assert await failures(limiter.take("peer", 3) for _ in range(200)) == {type(None)}
    assert len(redis.requested_keys) == 1
    assert not limiter._waiting


async def test_callers_waiting_for_the_same_lease_are_refused_together():
    redis: Any = HungRedis()

    async def refuse(keys, args) -> int:
        redis.requested_keys += keys
        return 0

    limiter = RateLimiter(redis, "ingest", 1000, clock=lambda: 1_000_030.0)
    limiter._take_lease = refuse
    assert await failures(limiter.take("peer", 2) for _ in range(50)) == {RateLimited}
    assert len(redis.requested_keys) == 1


# -- Postgres: behind a relay that hangs ---------------------------------------------------------------------


@pytest.fixture
async def relay(database_url):
    parts = urlsplit(database_url)
    async with Relay(parts.hostname or "", parts.port or 0).running() as running:
        yield running


@pytest.fixture
async def hung_database(relay, database_url):
    opened = await Database(StorageSettings(database_url=relayed(database_url, relay), pool_size=4)).open()
    yield opened
    relay.resume()
    await opened.close()


def bearer(secret: str):
    return (("authorization", f"Bearer {secret}"),)


async def test_concurrent_calls_with_one_key_share_one_query(database, monkeypatch):
    secrets = [await make_key(database) for _ in range(3)]
    queried: list[str] = []

    async def counted(pool, prefix):
        queried.append(prefix)
        return await find_api_key(pool, prefix)

    monkeypatch.setattr(auth, "find_api_key", counted)
    authenticator = Authenticator(database, required=True)
    calls = (authenticator.authorize(bearer(secrets[n % 3]), ROLES) for n in range(60))
    assert await failures(calls) == {type(None)}
    assert len(queried) == len(set(queried)) == 3


async def test_calls_with_uncached_keys_fail_while_the_database_hangs(database, hung_database, relay):
    secrets = [await make_key(database) for _ in range(10)]
    authenticator = Authenticator(hung_database, required=True)
    relay.hang()
    calls = (authenticator.authorize(bearer(secrets[n % 10]), ROLES) for n in range(60))
    assert await failures(calls) == {DatabaseIsUnavailable}
    relay.resume()
    await authenticator.authorize(bearer(secrets[0]), ROLES)
    assert caller().project_id == "default"


async def test_a_cached_key_waits_for_a_hung_database_once_and_stays_valid(database, hung_database, relay):
    secret = await make_key(database)
    now = [0.0]
    authenticator = Authenticator(hung_database, required=True, clock=lambda: now[0])
    await authenticator.authorize(bearer(secret), ROLES)
    relay.hang()
    now[0] += KEY_CACHE_TTL_S + 1
    assert await failures(authenticator.authorize(bearer(secret), ROLES) for _ in range(50)) == {type(None)}
    connections = relay.connection_count
    now[0] += KEY_CACHE_TTL_S - 1  # the database is not queried again yet
    await authenticator.authorize(bearer(secret), ROLES)
    assert relay.connection_count == connections
    assert not authenticator._lookups
    now[0] += STALE_KEY_TTL_S
    assert await failures([authenticator.authorize(bearer(secret), ROLES)]) == {DatabaseIsUnavailable}


async def test_leaving_a_hung_connection_returns_at_once(hung_database, relay):
    async with hung_database.connection():
        pass
    relay.hang()
    entered = False
    with pytest.raises(LookupError):
        async with hung_database.connection():
            entered = True
            raise LookupError
    assert entered
    assert len(hung_database._releasing) == 1  # the rest happens in the background


async def test_concurrent_first_queries_make_one_pool(monkeypatch):
    created = []

    async def create_pool(*_, **__):
        created.append(object())
        await asyncio.sleep(0)
        return created[-1]

    monkeypatch.setattr("storage.pool.asyncpg.create_pool", create_pool)
    database = Database(StorageSettings(database_url="postgresql://nobody@nowhere/none"))
    pools = await asyncio.gather(*(database._open_pool() for _ in range(5)))
    assert len(created) == 1
    assert set(pools) == set(created)


async def test_health_answers_while_postgres_hangs(relay, database_url, queue_settings):
    running = await build_server(
        make_config(
            relayed(database_url, relay),
            queue_settings,
        )
    )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            service = stub(HealthServiceStub, channel)
            await service.Check(CheckRequest(), timeout=DEADLINE_S)
            relay.hang()
            calls = (service.Check(CheckRequest(), timeout=DEADLINE_S) for _ in range(20))
            found = await asyncio.gather(*calls)
        assert {response.state for response in found} == {HEALTH_STATE_UNHEALTHY}
    finally:
        relay.resume()
        await running.stop(0.5)
