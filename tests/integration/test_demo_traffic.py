"""Demo traffic goes the way of all logs, is counted exactly, and leaves nothing when it is removed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.log_pb2 import OUTCOME_ERROR, OUTCOME_SUCCESS

from stack.cli.program import program
from stack.demo.calls import ENVIRONMENT
from stack.demo.sending import Producer, Settled
from stack.demo.traffic import make_history
from tests.support.load import Load
from tests.support.rollups import assert_rollups_are_right
from tests.support.rpc import stub
from tests.support.server import running_server
from tests.support.waiting import eventually

COUNT = 1_500
REMOVE = f"`{program()} demo-traffic --remove` deletes them"


@pytest.fixture
def start(server, database_url):
    """Starts `llm-observe demo-traffic` beside the test's server."""
    env = {**os.environ, "LLM_OBSERVE_ENDPOINT": f"127.0.0.1:{server.port}", "DATABASE_URL": database_url}

    async def run(*arguments: str) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "stack.cli.main", "demo-traffic", *arguments]
        return await asyncio.create_subprocess_exec(*command, env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE)

    return run


@pytest.fixture
def command(start):
    """Runs it to its end, with an answer to its question."""

    async def run(*arguments: str, answer: str = "") -> tuple[int | None, str]:
        process = await start(*arguments)
        output, _ = await process.communicate(answer.encode())
        return process.returncode, output.decode()

    return run


@contextmanager
def producing(port: int, **options):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Producer(channel, **options)


async def summary(channel: grpc.aio.Channel, environment: str = ENVIRONMENT) -> pb.Metrics:
    request = pb.GetSummaryRequest()
    request.filter.environments.append(environment)
    now = datetime.now(UTC)
    request.time_range.start_time.FromDatetime(now - timedelta(days=9))
    request.time_range.end_time.FromDatetime(now + timedelta(minutes=1))
    response: pb.GetSummaryResponse = await stub(AnalyticsServiceStub, channel).GetSummary(request)
    return response.current


async def test_every_call_arrives_and_is_counted(server, worker, channel, database):
    history = make_history(11, COUNT, datetime.now(UTC))
    with producing(server.port) as producer:
        for start in range(0, COUNT, 500):
            await asyncio.to_thread(producer.send, history[start : start + 500])
        settled = await asyncio.to_thread(producer.wait_until_settled, lambda known: None)
    assert settled == Settled(stored=COUNT, rejected=0, dead_lettered=0, duplicate=0)
    found = await summary(channel)
    assert found.request_count == COUNT
    assert found.error_count == Counter(log.outcome for log in history)[OUTCOME_ERROR]
    assert found.output_token_count == sum(log.output_token_count for log in history)
    vendors_succeeded = sum(log.outcome == OUTCOME_SUCCESS and log.provider != "app" for log in history)
    assert found.priced_count >= vendors_succeeded
    assert found.cost_nano_usd > 0
    await assert_rollups_are_right(database)


async def test_the_command_fills_and_removes(worker, command, channel, database, server):
    async with Load(server.port).running() as load:
        await load.wait_for_logs(40)
        filled = await command("--logs", "600", "--seed", "3")
        assert filled == (0, f"600 logs sent, 600 stored; {REMOVE}\n")
        assert (await summary(channel)).request_count == 600
        for answer in ("n\n", ""):
            code, question = await command("--remove", answer=answer)
            assert code != 0
            assert "Delete 600 logs of the environment demo in the project default?" in question
        assert (await summary(channel)).request_count == 600
        assert await command("--remove", "--yes") == (0, "600 demo logs deleted\n")
        await load.wait_for_logs(40)
    assert (await summary(channel)).request_count == 0
    await assert_rollups_are_right(database)
    assert await command("--remove") == (0, "0 demo logs deleted\n")
    assert (await summary(channel, environment="")).request_count > 0


async def test_a_killed_removal_is_finished_by_the_next(worker, command, start, database, sql):
    await command("--logs", "800")
    process = await start("--remove", "--yes")

    async def some_are_gone():
        return await sql.fetchval("SELECT count(*) FROM logs") < 800

    await eventually(some_are_gone)
    with suppress(ProcessLookupError):  # it was faster
        process.kill()
    await process.communicate()
    await assert_rollups_are_right(database)
    left = await sql.fetchval("SELECT count(*) FROM logs")
    assert await command("--remove", "--yes") == (0, f"{left} demo logs deleted\n")
    await assert_rollups_are_right(database)


async def test_live_calls_are_sent_until_the_command_is_stopped(worker, channel, start):
    process = await start("--live", "--rate", "100")
    while (await summary(channel)).request_count < 3:
        assert process.returncode is None
        await asyncio.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = await process.communicate()
    assert process.returncode == 0
    sent = int(output.split()[1])
    assert output.decode() == f"stopped: {sent} logs sent; {REMOVE}\n"
    assert b"Traceback" not in errors

    async def all_are_counted():
        return (await summary(channel)).request_count == sent

    await eventually(all_are_counted)


async def test_a_server_that_is_full_is_given_the_time_it_asks_for(database_url, queue_settings):
    waits: list[float] = []

    def give_up_at_the_third(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 3

    async with running_server(database_url, queue_settings, ingest_logs_per_minute=500) as running:
        logs = make_history(1, 1000, datetime.now(UTC))
        with producing(running.port, wait=give_up_at_the_third) as producer:
            await asyncio.to_thread(producer.send, logs[:500])
            with pytest.raises(grpc.RpcError):
                await asyncio.to_thread(producer.send, logs[500:])
            assert producer.sent == 500
    assert len(waits) == 3
    assert all(wait_s > 0.5 for wait_s in waits)
