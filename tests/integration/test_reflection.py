"""Every service can be listed, described and called by reflection."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.support.grpcurl import as_text, grpcurl
from tests.support.rpc import info_of
from tests.support.server import SERVICES


async def run(server, command: str):
    return await asyncio.to_thread(grpcurl, command, f"127.0.0.1:{server.port}")


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


async def test_services_methods_messages_and_fields_are_found_by_name(server):
    names = {
        name
        for service in SERVICES.values()
        for name in (service.full_name, *(f"{service.full_name}.{method.name}" for method in service.methods))
    }
    names |= {"llm_observe.v1.Log", "llm_observe.v1.Log.log_id", "grpc.health.v1.Health.Check"}

    def unknown() -> set[str]:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            return {name for name in [*names, "llm_observe.v1.Health.NoSuch"] if not is_known(database, name)}

    assert await asyncio.to_thread(unknown) == {"llm_observe.v1.Health.NoSuch"}


def is_known(database: ProtoReflectionDescriptorDatabase, name: str) -> bool:
    try:
        database.FindFileContainingSymbol(name)
    except KeyError:
        return False
    return True


async def test_an_unknown_method_and_wrong_json_fail_differently(server):
    with pytest.raises(KeyError):
        await run(server, "grpcurl -plaintext x llm_observe.v1.HealthService/NoSuch")
    with pytest.raises(Exception, match="no field named"):
        await run(server, "grpcurl -plaintext -d '{\"nope\": 1}' x llm_observe.v1.HealthService/Check")
