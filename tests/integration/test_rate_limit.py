"""Rate limits are exact across replicas, refuse with RetryInfo, and do not count refused calls."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from server.rpc import rate_limit
from server.rpc.errors import QueueIsUnavailable, RateLimited
from server.rpc.rate_limit import ChatLimits, RateLimiter
from tests.support.logs import make_log, make_request
from tests.support.rpc import RPC_TIMEOUT_S, info_of, stub
from tests.support.server import running_server
from worker.queue.broker import LogBroker


@pytest.fixture
async def broker(queue_settings, monkeypatch):
    # Limits are exact only if Redis answers in time, which it may not on a busy machine.
    monkeypatch.setattr(rate_limit, "_TIMEOUT_S", RPC_TIMEOUT_S)
    opened = LogBroker(queue_settings)
    yield opened
    await opened.shutdown()


class Clock:
    """A fixed clock, so that no minute ends during a test."""

    now_s = 1_000_030.0

    def __call__(self) -> float:
        return self.now_s


async def allowed(limiter: RateLimiter, peer: str, calls: int, count: int = 1) -> int:
    async def take() -> int:
        try:
            await limiter.take(peer, count)
        except RateLimited:
            return 0
        return count

    return sum(await asyncio.gather(*(take() for _ in range(calls))))


@pytest.mark.parametrize("limit", [7, 250, 1000])
async def test_replicas_share_one_exact_limit(broker, limit):
    replicas = [RateLimiter(broker, "ingest", limit, Clock()) for _ in range(3)]
    peer = uuid.uuid4().hex
    passed = await asyncio.gather(*(allowed(replica, peer, limit) for replica in replicas))
    passed.append(await allowed(replicas[0], peer, 3))
    # Only unused leases of replicas are lost: a hundredth of the limit each.
    assert limit - 3 * max(1, limit // 100) <= sum(passed) <= limit


async def test_a_turn_refused_for_its_session_does_not_count_for_its_project(broker):
    limits = ChatLimits(broker, session_turns=2, project_turns=3)
    limits._session._clock = limits._project._clock = Clock()

    async def take(session: str) -> bool:
        try:
            await limits.take(session)
        except RateLimited:
            return False
        return True

    assert [await take("loud") for _ in range(6)] == [True, True, False, False, False, False]
    assert [await take("quiet") for _ in range(2)] == [True, False]


async def test_each_peer_has_its_own_limit(broker):
    limiter = RateLimiter(broker, "ingest", 10, Clock())
    assert await allowed(limiter, "a", 20) == 10
    assert await allowed(limiter, "b", 20) == 10


async def test_a_batch_is_admitted_whole_or_refused(broker):
    limiter = RateLimiter(broker, "ingest", 100, Clock())
    assert await allowed(limiter, "a", 1, count=60) == 60
    assert await allowed(limiter, "a", 1, count=60) == 0
    assert await allowed(limiter, "a", 1, count=40) == 40


async def test_the_limit_resets_each_minute(broker):
    clock = Clock()
    limiter = RateLimiter(broker, "ingest", 5, clock)
    assert await allowed(limiter, "a", 9) == 5
    clock.now_s += 60
    assert await allowed(limiter, "a", 9) == 5


async def test_many_calls_share_one_redis_request(broker):
    limiter = RateLimiter(broker, "ingest", 10_000, Clock())
    take_lease, requests = limiter._take_lease, []

    async def counted(**arguments):
        requests.append(arguments)
        return await take_lease(**arguments)

    limiter._take_lease = counted
    for _ in range(100):
        await limiter.take("a", 1)
    assert len(requests) == 1


async def test_calls_are_refused_without_redis(broker):
    limiter = RateLimiter(broker, "ingest", 10, Clock())

    async def unavailable(**_):
        raise OSError

    limiter._take_lease = unavailable
    with pytest.raises(QueueIsUnavailable):
        await limiter.take("a", 1)


async def test_a_refusal_has_retry_info(database_url, queue_settings, broker):
    async with running_server(database_url, queue_settings, ingest_logs_per_minute=500) as server:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            ingest = stub(IngestServiceStub, channel)
            await ingest.IngestLogs(make_request(*(make_log() for _ in range(499))))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ingest.IngestLogs(make_request(make_log(), make_log()))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert info_of(caught.value)[:2] == ("RATE_LIMITED", {"limit": "500", "window_seconds": "60"})
        error: Any = caught.value
        status = rpc_status.from_call(error)
        retry = error_details_pb2.RetryInfo()
        assert status is not None
        assert any(detail.Unpack(retry) for detail in status.details)
        assert 0 < retry.retry_delay.seconds <= 60
        assert await broker.redis.xlen(broker.queue_name) == 1
