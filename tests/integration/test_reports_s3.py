"""Reports read a lake in a bucket, and say so when it is away."""

from __future__ import annotations

import grpc
import pytest
from llm_observe.v1 import report_service_pb2 as pb
from llm_observe.v1.report_service_pb2_grpc import ReportServiceStub

from tests.support.lake import START, export_all, lake_settings, row_at
from tests.support.packing import insert
from tests.support.rpc import RPC_TIMEOUT_S, info_of, stub
from tests.support.s3 import ENV, running_s3
from tests.support.server import running_server


async def answer(port):
    request = pb.RunSqlRequest(sql="SELECT count(*) FROM logs")
    request.time_range.start_time.FromDatetime(START)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        service = stub(ReportServiceStub, channel)
        return [part async for part in service.RunSql(request, timeout=RPC_TIMEOUT_S)][-1].end


async def test_reports_over_a_bucket(database, database_url, queue_settings, tmp_path, monkeypatch):
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("analytics.lake.s3._ATTEMPTS", 1)
    await insert(database, [row_at(1), row_at(2)])
    async with running_s3("lake", tmp_path) as s3_port:
        settings = lake_settings("s3://lake/reports", s3_endpoint=f"http://127.0.0.1:{s3_port}")
        await export_all(database, settings)
        async with running_server(database_url, queue_settings, lake=settings) as server:
            for _ in range(2):  # the second time from copies
                end = await answer(server.port)
                assert end.HasField("lake_time")
    async with running_server(database_url, queue_settings, lake=settings) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await answer(server.port)
    assert (caught.value.code().name, info_of(caught.value)[0]) == ("UNAVAILABLE", "LAKE_UNAVAILABLE")
