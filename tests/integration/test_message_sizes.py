"""Requests are bounded as they unpack, not as they come."""

from __future__ import annotations

import grpc
import pytest
from llm_observe.limits import MAX_BATCH_BYTES

from tests.support.logs import make_log, make_request
from tests.support.methods import call
from tests.support.rpc import RPC_TIMEOUT_S, info_of

INGEST = "/llm_observe.v1.IngestService/IngestLogs"
BOMB_BYTES = 128 * 1024 * 1024
"""As gzip it has an eighth of a megabyte."""


async def send(channel, size: int, compression: grpc.Compression) -> grpc.aio.AioRpcError:
    ingest = channel.unary_unary(INGEST)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ingest(bytes(size), timeout=RPC_TIMEOUT_S, compression=compression)
    return caught.value


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_a_batch_somewhat_too_large_is_told_so(channel, compression):
    error = await send(channel, MAX_BATCH_BYTES + 1, compression)
    assert info_of(error)[0] in {"BATCH_TOO_LARGE", "INVALID_FIELD"}


@pytest.mark.parametrize(
    ("size", "compression"),
    [
        (2 * MAX_BATCH_BYTES + 1, grpc.Compression.NoCompression),
        (2 * MAX_BATCH_BYTES + 1, grpc.Compression.Gzip),
        (BOMB_BYTES, grpc.Compression.Gzip),
    ],
)
async def test_a_message_that_is_too_large_is_refused(channel, size, compression):
    error = await send(channel, size, compression)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    answer = await call(channel, "IngestService/IngestLogs", make_request(make_log()))
    assert answer.accepted_log_count == 1
