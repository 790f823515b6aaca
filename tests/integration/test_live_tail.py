"""The live tail is filtered, serves any number of subscribers on all replicas, and counts missed logs."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from llm_observe.v1.event_service_pb2 import WatchLogsRequest, WatchLogsResponse
from llm_observe.v1.event_service_pb2_grpc import EventServiceStub
from llm_observe.v1.filter_pb2 import LogFilter, MetricFilter
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from llm_observe.v1.log_pb2 import OUTCOME_ERROR

from server.reads.live_feed import Subscriber
from server.reads.log_filter import LogMatcher, parse_log_filter
from server.rpc.errors import QueueIsUnavailable
from storage.logs import count_logs
from tests.support.logs import make_log, make_request
from tests.support.rpc import info_of, stub
from tests.support.server import running_server
from tests.support.waiting import eventually


class Watcher:
    """Keeps what a subscription receives."""

    def __init__(self, channel: Any, log_filter: LogFilter | None = None) -> None:
        self.models: list[str] = []
        self.previews: list[str] = []
        self.missed = 0
        self._call = stub(EventServiceStub, channel).WatchLogs(
            WatchLogsRequest(filter=log_filter or LogFilter())
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        assert await self._call.read() == WatchLogsResponse()
        self._task = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()
        assert self._task is not None
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        while (group := await self._call.read()) is not grpc.aio.EOF:
            self.models += [log.model for log in group.logs]
            self.previews += [log.input_preview for log in group.logs]
            self.missed = group.missed_count


async def test_every_subscriber_on_every_replica_receives_stored_logs(
    channel, database_url, queue_settings, worker, database
):
    ingest = stub(IngestServiceStub, channel)
    async with (
        running_server(database_url, queue_settings) as replica,
        grpc.aio.insecure_channel(f"127.0.0.1:{replica.port}") as other,
        Watcher(channel) as one,
        Watcher(channel) as two,
        Watcher(other) as three,
        Watcher(channel, LogFilter(outcomes=[OUTCOME_ERROR])) as errors,
    ):
        wrong = make_log(model="wrong", outcome="OUTCOME_ERROR")
        await ingest.IngestLogs(make_request(make_log(model="right"), wrong))
        await ingest.IngestLogs(make_request(wrong))  # a duplicate is not stored again

        async def all_received():
            return all(sorted(watcher.models) == ["right", "wrong"] for watcher in (one, two, three))

        await eventually(all_received)
        await eventually(lambda: errors.models)
        assert (errors.models, one.missed) == (["wrong"], 0)
    assert await count_logs(database, project_id="default") == 2


async def test_a_late_subscriber_receives_new_logs_redacted(channel, worker, database):
    ingest = stub(IngestServiceStub, channel)
    address = "ann" + "@" + "example.org"
    await ingest.IngestLogs(make_request(make_log()))

    async def stored():
        return await count_logs(database, project_id="default") == 1

    await eventually(stored)  # with no subscriber yet
    async with Watcher(channel) as late:

        async def received():
            await ingest.IngestLogs(make_request(make_log(inputPreview=f"to {address}")))
            await asyncio.sleep(0.1)
            return late.previews

        await eventually(received)
    assert set(late.previews) == {"to [EMAIL]"}


async def test_a_subscriber_that_does_not_read_does_not_block_the_writer(channel, worker, database):
    ingest = stub(IngestServiceStub, channel)
    call = stub(EventServiceStub, channel).WatchLogs(WatchLogsRequest())
    await call.read()  # the only read
    text = "x" * 500
    for _ in range(20):
        logs = [make_log(inputPreview=text, outputPreview=text) for _ in range(500)]
        await ingest.IngestLogs(make_request(*logs))

    async def stored():
        return await count_logs(database, project_id="default") == 10_000

    await eventually(stored)
    call.cancel()


def test_a_slow_subscriber_misses_logs_and_learns_how_many():
    subscriber = Subscriber()
    group = WatchLogsResponse(logs=[make_log(), make_log()])
    for _ in range(70):
        subscriber.offer(group)
    subscriber.offer(WatchLogsResponse(missed_count=5))
    assert subscriber.missed_count == 2 * (70 - 64) + 5


async def test_an_interrupted_tail_raises_after_the_queued_logs():
    subscriber = Subscriber()
    subscriber.offer(WatchLogsResponse(logs=[make_log()]))
    subscriber.end(QueueIsUnavailable())
    assert len((await subscriber.next()).logs) == 1
    for _ in range(2):
        with pytest.raises(QueueIsUnavailable):
            await subscriber.next()


async def test_an_invalid_filter_is_refused(channel):
    events = stub(EventServiceStub, channel)
    for wrong in (LogFilter(tags=["t"] * 51), LogFilter(text="x" * 201), LogFilter(user_id="x" * 201)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await events.WatchLogs(WatchLogsRequest(filter=wrong)).read()
        assert info_of(caught.value)[0] == "INVALID_FIELD"


@pytest.mark.parametrize(
    ("log_filter", "selected"),
    [
        (LogFilter(), True),
        (LogFilter(metric_filter=MetricFilter(models=["a", "b"], providers=["openai"])), True),
        (LogFilter(metric_filter=MetricFilter(models=["b"])), False),
        (LogFilter(outcomes=[OUTCOME_ERROR]), False),
        (LogFilter(session_id="session", tags=["x"]), True),
        (LogFilter(tags=["x", "z"]), False),
        (LogFilter(user_id="u2"), False),
        (LogFilter(min_latency=Duration(nanos=250_000_000), max_latency=Duration(nanos=250_000_000)), True),
        (LogFilter(min_latency=Duration(nanos=250_000_001)), False),
        (LogFilter(max_latency=Duration(nanos=249_999_999)), False),
        (LogFilter(text="HELLO"), True),
        (LogFilter(text="absent"), False),
    ],
)
def test_filters_select_logs(log_filter, selected):
    log = make_log(model="a", tags=["x", "y"], userId="u1", outputPreview="oh, hello")
    assert LogMatcher(parse_log_filter(log_filter)).matches(log) is selected
