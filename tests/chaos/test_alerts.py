"""Alerts over the real processes: a worker is killed while it sends, and no notice is lost."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from llm_observe.v1 import alert_service_pb2 as pb
from llm_observe.v1.alert_service_pb2_grpc import AlertServiceStub
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from tests.support.logs import make_log, make_request
from tests.support.processes import Processes, queue_env
from tests.support.receiver import running_receiver
from tests.support.rpc import stub
from tests.support.server import running_server
from tests.support.waiting import eventually
from worker.notices.settings import NoticeSettings

pytestmark = pytest.mark.chaos
PRIVATE = NoticeSettings(allow_private=True)


@pytest.fixture
async def channel(database_url, queue_settings):
    async with (
        running_server(database_url, queue_settings, notices=PRIVATE) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as opened,
    ):
        yield opened


@pytest.fixture
def processes(database_url, queue_settings, tmp_path):
    allowed = {"LLM_OBSERVE_ALERT_ALLOW_PRIVATE": "true"}
    started = Processes(tmp_path, {**os.environ, **queue_env(database_url, queue_settings), **allowed})
    yield started
    started.stop_all()


async def make_rule(service, receiver, **fields) -> str:
    """Return the id of a rule that sends to a receiver."""
    new = pb.Channel(display_name="pager", type=pb.CHANNEL_TYPE_WEBHOOK, url=receiver.url)
    made = await service.CreateChannel(pb.CreateChannelRequest(channel=new))
    rule = pb.AlertRule(display_name="Rule", channel_ids=[made.channel.channel_id], **fields)
    created = await service.CreateAlertRule(pb.CreateAlertRuleRequest(alert_rule=rule))
    return str(created.alert_rule.alert_rule_id)


async def send_failures(channel, count: int) -> None:
    """Send calls that failed four minutes ago."""
    logs = [make_log(outcome="OUTCOME_ERROR") for _ in range(count)]
    for log in logs:
        log.start_time.FromNanoseconds(time.time_ns() // 1000 * 1000 - 240 * 10**9)
    await stub(IngestServiceStub, channel).IngestLogs(make_request(*logs))


async def test_a_worker_is_killed_between_the_commit_and_the_answer(channel, processes, sql):
    service = stub(AlertServiceStub, channel)
    async with running_receiver("hang") as receiver:
        await send_failures(channel, 5)
        worker = processes.start("worker", "worker")

        async def stored():
            return await sql.fetchval("SELECT count(*) FROM logs") == 5

        await eventually(stored)
        # A long window: the calls stay in it, however slow this machine is.
        day = Duration(seconds=86_400)
        await make_rule(service, receiver, metric=pb.ALERT_METRIC_ERROR_RATE, threshold=0.5, window=day)
        await eventually(lambda: receiver.requests)
        processes.kill("worker")
        assert not worker.is_running()
        # Time passes: the lease ends.
        await sql.execute("UPDATE alert_messages SET next_attempt_time = now()")
        processes.restart("worker")
        await eventually(lambda: len(receiver.requests) >= 2)
        first, second, *others = receiver.requests
        assert not others
        assert first.key == second.key
        assert first.body == second.body
        assert second.json["alerts"][0]["labels"]["alertname"] == "Rule"

        async def delivered():
            alerts = (await service.ListAlerts(pb.ListAlertsRequest())).alerts
            return [
                (alert.state, delivery.state, delivery.attempt_count)
                for alert in alerts
                for delivery in alert.deliveries
                if delivery.state == pb.DELIVERY_STATE_DELIVERED
            ]

        assert await eventually(delivered) == [(pb.ALERT_STATE_FIRING, pb.DELIVERY_STATE_DELIVERED, 2)]


async def test_the_age_of_the_queue_is_told_although_no_worker_lives(channel, processes):
    """The scheduler evaluates, too: an alert about the queue neither waits in it nor for workers."""
    service = stub(AlertServiceStub, channel)
    async with running_receiver() as receiver:
        await send_failures(channel, 1)
        await make_rule(service, receiver, metric=pb.ALERT_METRIC_QUEUE_AGE, threshold=0.001)
        processes.start("scheduler", "worker", "scheduler")
        await eventually(lambda: receiver.requests)
        (alert,) = receiver.requests[0].json["alerts"]
        assert alert["labels"]["metric"] == "queue_age"
        assert datetime.fromisoformat(alert["startsAt"]) <= datetime.now(UTC)
