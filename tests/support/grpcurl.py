"""A grpcurl in Python, which uses only reflection and none of our generated code."""

from __future__ import annotations

import argparse
import json
import shlex
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, Parse
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.support.rpc import RPC_TIMEOUT_S

MAX_MESSAGES = 500


def grpcurl(command: str, address: str = "") -> Any:
    """Run a command line, with ``address`` in place of its host:port, and return what it would print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-d", default="{}")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("words", nargs="+")
    options = parser.parse_args(shlex.split(command)[1:])
    target, *words = options.words
    metadata = [tuple(header.split(": ", 1)) for header in options.H]
    with grpc.insecure_channel(address or target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        if words[0] == "list":
            return _list(database, pool, words[1:])
        if words[0] == "describe":
            return _describe(database, pool, words[1:])
        return _call(channel, pool, words[0], options.d, metadata)


def _list(database: Any, pool: Any, words: list[str]) -> list[str]:
    if not words:
        return sorted(database.get_services())
    service = pool.FindServiceByName(words[0])
    return sorted(f"{service.full_name}.{method.name}" for method in service.methods)


def _describe(database: Any, pool: Any, words: list[str]) -> str:
    found = []
    for name in words or sorted(database.get_services()):
        try:
            described = pool.FindServiceByName(name)
        except KeyError:
            described = pool.FindMessageTypeByName(name)
        found.append(f"{described.full_name} in {described.file.name}")
    return "\n".join(found)


def _call(channel: Any, pool: Any, symbol: str, body: str, metadata: list[Any]) -> list[dict[str, Any]]:
    service, _, method = symbol.rpartition("/")
    described = pool.FindServiceByName(service).methods_by_name[method]
    request = Parse(body, GetMessageClass(described.input_type)(), descriptor_pool=pool)
    kind = channel.unary_stream if described.server_streaming else channel.unary_unary
    rpc = kind(
        f"/{symbol}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(described.output_type).FromString,
    )
    answer = rpc(request, metadata=metadata, timeout=RPC_TIMEOUT_S)
    messages = list(answer) if described.server_streaming else [answer]
    return [MessageToDict(message, preserving_proto_field_name=True) for message in messages[:MAX_MESSAGES]]


def as_text(answer: Any) -> str:
    """Return an answer as grpcurl would print it."""
    return answer if isinstance(answer, str) else json.dumps(answer, indent=2)
