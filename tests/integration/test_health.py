"""Health has one service for people and one for orchestrators, and neither ever hangs."""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from llm_observe.v1.health_service_pb2 import (
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_HEALTHY,
    HEALTH_STATE_UNHEALTHY,
    CheckRequest,
)
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from server.admin import health
from tests.support.processes import start_worker, stop
from tests.support.rpc import RPC_TIMEOUT_S, stub
from tests.support.waiting import eventually
from worker.queue import log_queue


async def test_the_server_is_healthy_only_with_a_worker(channel, database_url, queue_settings, tmp_path):
    service = stub(HealthServiceStub, channel)
    lonely = await service.Check(CheckRequest())
    assert lonely.state == HEALTH_STATE_DEGRADED
    assert {entry.name: entry.state for entry in lonely.dependencies} == {
        "postgres": HEALTH_STATE_HEALTHY,
        "redis": HEALTH_STATE_HEALTHY,
    }
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:

        async def healthy():
            found = await service.Check(CheckRequest())
            return found.state == HEALTH_STATE_HEALTHY and found.queue.consumer_count == 1

        await eventually(healthy)
    finally:
        stop(worker)


async def test_a_hanging_redis_is_reported(stores, channel):
    service = stub(HealthServiceStub, channel)
    stores.running["valkey"].suspend()
    try:
        found = await service.Check(CheckRequest(), timeout=RPC_TIMEOUT_S)
    finally:
        stores.running["valkey"].resume()
    assert found.state == HEALTH_STATE_UNHEALTHY
    assert not found.HasField("queue")


def test_store_probes_time_out_within_the_promised_two_seconds():
    """Compares constants, since measured times would depend on the load of the machine."""
    assert max(health._TIMEOUT_S, log_queue._PROBE_TIMEOUT_S) < 2


async def test_liveness_does_not_query_the_stores(stores, channel):
    probe = stub(health_pb2_grpc.HealthStub, channel)
    stores.running["valkey"].suspend()
    try:
        for name in ("", "llm_observe.v1.IngestService", "llm_observe.v1.ChatService"):
            answer = await probe.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    finally:
        stores.running["valkey"].resume()


async def test_reflection_lists_every_service(server):

    def names():
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            return set(ProtoReflectionDescriptorDatabase(channel).get_services())

    found = await asyncio.to_thread(names)
    services = ("Ingest", "Chat", "Conversation", "Analytics", "Export", "Event", "Admin", "Health")
    assert {f"llm_observe.v1.{name}Service" for name in services} <= found
    assert "grpc.health.v1.Health" in found
