"""Every service can be listed, described and called by reflection, and the documented calls work."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from storage import api_keys
from tests.support.grpcurl import as_text, grpcurl
from tests.support.rpc import info_of
from tests.support.server import SERVICES, running_server

ROOT = Path(__file__).parent.parent.parent


def documented_calls() -> list[str]:
    texts = [path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))]
    joined = "\n".join(texts).replace("\\\n", " ")
    return [line.strip() for line in re.findall(r"^ *grpcurl .*$", joined, re.MULTILINE)]


async def run(server, command: str):
    return await asyncio.to_thread(grpcurl, command, f"127.0.0.1:{server.port}")


async def test_every_documented_call_works(server):
    calls = documented_calls()
    assert len(calls) >= 4
    for command in calls:
        assert await run(server, command), command


async def test_every_service_is_listed_described_and_called(server):
    services = await run(server, "grpcurl -plaintext x list")
    ours = [name for name in services if name.startswith("llm_observe.v1.")]
    assert len(ours) == len(SERVICES)
    assert {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= set(services)
    for service in ours:
        assert service in as_text(await run(server, f"grpcurl -plaintext x describe {service}"))
        for method in await run(server, f"grpcurl -plaintext x list {service}"):
            symbol = f"{service}/{method.rpartition('.')[2]}"
            if symbol.endswith("WatchLogs"):
                continue  # never ends
            try:
                assert await run(server, f"grpcurl -plaintext -d '{{}}' x {symbol}") is not None
            except grpc.RpcError as error:
                assert info_of(error)[0] not in {"INTERNAL", ""}, symbol


async def test_a_message_is_described(server):
    assert "llm_observe.v1.Log in" in await run(server, "grpcurl -plaintext x describe llm_observe.v1.Log")


async def test_an_unknown_method_and_wrong_json_fail_differently(server):
    with pytest.raises(KeyError):
        await run(server, "grpcurl -plaintext x llm_observe.v1.HealthService/NoSuch")
    with pytest.raises(Exception, match="no field named"):
        await run(server, "grpcurl -plaintext -d '{\"nope\": 1}' x llm_observe.v1.HealthService/Check")


async def list_with(channel, metadata=()):
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub: Any = reflection_pb2_grpc.ServerReflectionStub
    call = stub(channel).ServerReflectionInfo(iter([request]), metadata=metadata)
    return [service.name async for answer in call for service in answer.list_services_response.service]


async def test_reflection_refuses_callers_without_a_key_where_keys_are_required(locked_channel):
    for metadata in ((), (("authorization", "Bearer llmo_none"),)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await list_with(locked_channel, metadata)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert info_of(caught.value)[0] == "UNAUTHENTICATED"


@pytest.mark.parametrize("role", api_keys.ROLES)
async def test_a_key_of_any_role_may_ask_for_reflection(locked_channel, database, role):
    key = await api_keys.create_api_key(database, project_id="default", roles=[role])
    assert key is not None
    assert "llm_observe.v1.IngestService" in await list_with(
        locked_channel, (("authorization", f"Bearer {key.secret}"),)
    )


async def test_reflection_can_be_switched_off(database_url, queue_settings):
    async with (
        running_server(database_url, queue_settings, reflection=False) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await list_with(channel)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
