"""Sends logs while processes are killed at random: python -m tests.chaos.storm --logs 20000 --seed 1.

Four producers send logs, some twice, some corrected, some that the database will refuse. Meanwhile worker,
server, Redis and Postgres are killed or restarted at random, and brought into states in which they live and
refuse (tests/chaos/states.py). Afterwards every log must be accounted for; what is not fails an assertion.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import asyncpg
import grpc
from llm_observe.v1.admin_service_pb2 import QueryLedgerRequest
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from llm_observe.v1.log_pb2 import Log
from redis.exceptions import RedisError

from storage.pool import Database
from storage.settings import StorageSettings
from tests.chaos.states import CALLER_MODEL, STATES, hold
from tests.support.logs import make_log
from tests.support.machine import Machine, machine
from tests.support.ports import free_port
from tests.support.rollups import COUNT_REQUESTS, assert_rollups_are_right
from tests.support.rpc import RPC_TIMEOUT_S
from tests.support.waiting import WAIT_S, eventually
from worker.queue.broker import LogBroker
from worker.queue.log_queue import QueueUnavailable, queue_stats
from worker.queue.settings import QueueSettings
from worker.queue.stream import GROUP

PRODUCERS = 4
POISON = """
from tests.support import poison
from codec import reader

reader.read_batch = poison.poisoning(lambda log: log.message().model == "poison")
"""
"""Loaded into the worker: turns these logs into rows that the database refuses."""
RETRYABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@dataclass
class Producer:
    """Sends as the SDK does: retries a batch until it is accepted."""

    seed: int
    wanted: int
    repeats: bool
    """Whether one log in nine is a duplicate, a correction or poison; otherwise all are new."""
    models: dict[str, str] = field(default_factory=dict)
    """The model that each log was last sent with."""
    poisoned: set[str] = field(default_factory=set)
    report: ProducerReport = field(default_factory=lambda: ProducerReport(producer_id=str(uuid.uuid4())))
    retries: int = 0

    @property
    def made(self) -> int:
        """Logs made so far, including those of the batch being sent."""
        return len(self.models) + len(self.poisoned)

    async def run(self, port: int) -> None:
        """Send all logs."""
        chance = random.Random(self.seed)
        sent: list[Log] = []
        while self.made < self.wanted:
            batch = [self._make(chance, sent) for _ in range(chance.randrange(1, 60))]
            self.report.batch_number += 1
            self.report.sent_count += len(batch)
            await self._send(port, IngestLogsRequest(logs=batch, producer=self.report))
            sent = [*sent[-500:], *batch]
            await asyncio.sleep(chance.random() * 0.1)

    def _make(self, chance: random.Random, sent: list[Log]) -> Log:
        dice = chance.random() if self.repeats else 0.5
        if dice < 0.10 and sent:
            again = Log.FromString(chance.choice(sent).SerializeToString())
            if again.log_id in self.models:
                again.model = self.models[again.log_id]  # unchanged, since a duplicate is not a correction
            return again
        if dice < 0.12 and self.models and sent:
            again = Log.FromString(chance.choice(sent).SerializeToString())
            if again.log_id in self.models:
                again.model = self.models[again.log_id] = f"corrected-{chance.randrange(1000)}"
                return again
        log = make_log(model=chance.choice(("a", "b", "c")))
        if dice > 0.99:
            log.model = "poison"
            self.poisoned.add(log.log_id)
        else:
            self.models[log.log_id] = log.model
        return log

    async def _send(self, port: int, request: IngestLogsRequest) -> None:
        while True:
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    stub: Any = IngestServiceStub(channel)
                    await stub.IngestLogs(request, timeout=RPC_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                if error.code() not in RETRYABLE:
                    raise
                self.retries += 1
                await asyncio.sleep(0.2)
            else:
                return


class Broken(NamedTuple):
    """What was done."""

    counts: Counter[str]
    states: dict[str, Any]
    """By state: what health and callers were told."""


async def _break_things(
    services: Machine,
    chance: random.Random,
    producers: list[Producer],
    breakages: Sequence[str],
    port: int,
) -> Broken:
    """Bring about one after the other while the logs are sent; a breakage is a process or a state."""
    broken = Broken(Counter(), {})
    for piece, name in enumerate(breakages, 1):
        target = sum(producer.wanted for producer in producers) * piece / (len(breakages) + 1)
        await eventually(lambda: sum(producer.made for producer in producers) >= target)  # noqa: B023 - awaited within the turn
        if name in STATES:
            broken.states[name] = await hold(services, port, name, chance)
        else:
            await restart(services, name, chance)
        broken.counts[name] += 1
    return broken


async def restart(services: Machine, name: str, chance: random.Random) -> None:
    """Kill a process and start it again. Postgres is restarted as an operator would: not before it is up."""
    if name == "postgres":  # before that it may lose the signal, and would be waited for in vain
        await services.postgres.wait_ready()
    await asyncio.to_thread(services.stop if name == "postgres" else services.kill, name)
    await asyncio.sleep(chance.random() * 0.5)
    services.restart(name)


def kills(count: int, chance: random.Random) -> list[str]:
    """Return the names of processes to kill, worker the most often."""
    return chance.choices(("worker", "worker", "server", "valkey", "postgres"), k=count)


async def storm(
    services: Machine,
    *,
    logs: int,
    seed: int,
    repeats: bool = True,
    breakages: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Run one storm and return a summary; raise AssertionError if a log is not accounted for.

    ``breakages`` are what happens, in order; by default processes are killed at random, one each 400 logs.
    """
    chance = random.Random(seed)
    if breakages is None:
        breakages = kills(max(1, logs // 400 - 1), chance)
    port = free_port()
    (services.home.root / "sitecustomize.py").write_text(POISON)
    settings = {
        "LLM_OBSERVE_GRPC_PORT": str(port),
        "LLM_OBSERVE_QUEUE_HEARTBEAT_S": "0.3",
        "LLM_OBSERVE_ROLLUP_MERGE_INTERVAL_S": "0.1",
        "LLM_OBSERVE_QUEUE_LIVENESS_S": "1.5",
    }
    services.env.update(settings)
    services.start("server", "server")
    services.start("worker", "worker", PYTHONPATH=str(services.home.root))
    producers = [Producer(seed * 100 + number, logs // PRODUCERS, repeats) for number in range(PRODUCERS)]
    breaking = asyncio.create_task(_break_things(services, chance, producers, breakages, port))
    begin = time.monotonic()
    await asyncio.gather(*(producer.run(port) for producer in producers))
    queue = LogBroker(QueueSettings(redis_url=services.env["REDIS_URL"]))
    broken = await breaking
    await eventually(lambda: _add_garbage(queue))
    try:
        revived = await settle(services, queue)
    finally:
        await queue.shutdown()
    return await _compare(services, producers, port) | {
        "revived": dict(revived),
        "seed": seed,
        "broken": dict(broken.counts),
        "states": broken.states,
        "seconds": round(time.monotonic() - begin, 1),
    }


async def _add_garbage(queue: LogBroker) -> bool:
    """Add unreadable entries to the stream; return whether Redis was available."""
    try:
        for data in (b"\xff\xfe", b"{}", b'{"task_name": "no such"}'):
            await queue.redis.xadd(queue.queue_name, {"data": data})
    except RedisError:  # it may have just been killed
        return False
    return True


async def settle(services: Machine, queue: LogBroker) -> Counter[str]:
    """Wait until the queue is empty; return how often processes that had ended were started again."""
    revived: Counter[str] = Counter()

    async def empty() -> bool:
        for name, process in services.running.items():  # as a supervisor does
            if process.poll() is not None:
                services.restart(name)
                revived[name] += 1
        try:
            return (await queue_stats(queue)).depth == 0
        except QueueUnavailable:
            return False

    async def only_the_running_worker() -> bool:
        consumers = await queue.redis.xinfo_consumers(queue.queue_name, GROUP)
        return len(consumers) == 1 and (await queue_stats(queue)).consumers == 1

    await eventually(empty)
    await eventually(only_the_running_worker)
    return revived


async def _compare(services: Machine, producers: list[Producer], port: int) -> dict[str, Any]:
    sql = await asyncpg.connect(services.env["DATABASE_URL"])
    found = await sql.fetch("SELECT log_id, model FROM logs")
    rows = {str(row["log_id"]): row["model"] for row in found if row["model"] != CALLER_MODEL}
    row_count = await sql.fetchval("SELECT count(*) FROM logs")
    requests = await sql.fetchval(COUNT_REQUESTS)
    letters = await sql.fetch("SELECT reason, log_id, log_count FROM dead_letters")
    await sql.close()
    expected = {log_id: model for producer in producers for log_id, model in producer.models.items()}
    poisoned = {log_id for producer in producers for log_id in producer.poisoned}
    assert rows.keys() == expected.keys(), f"{len(expected.keys() - rows.keys())} accepted logs are missing"
    wrong = [log_id for log_id, model in expected.items() if rows[log_id] != model]
    assert not wrong, f"{len(wrong)} corrections did not win"
    assert row_count == len(found) == requests, f"{row_count} rows, {requests} in rollups"
    assert {row["log_id"] for row in letters if row["reason"] == "refused"} == poisoned
    assert sum(row["reason"] == "unparsable" for row in letters) >= 3
    database = Database(StorageSettings(database_url=services.env["DATABASE_URL"], timeout_s=60))
    await assert_rollups_are_right(database)
    await database.close()
    ledger = await _ledger(port)
    for producer in producers:
        entry = ledger[producer.report.producer_id]
        assert entry["missing_batch_count"] == 0
        assert entry["sent_count"] == producer.report.sent_count
        assert entry["stored_count"] == len(producer.models)
        total = entry["stored_count"] + entry["duplicate_count"] + entry["dead_lettered_count"]
        assert total == producer.report.sent_count, f"{total} accounted for of {producer.report.sent_count}"
    return {
        "sent": sum(producer.report.sent_count for producer in producers),
        "stored": row_count,
        "dead_letters": dict(Counter(row["reason"] for row in letters)),
        "retries": sum(producer.retries for producer in producers),
        "ledger_adds_up": True,
        "rollup_differences": 0,
    }


async def _ledger(port: int) -> dict[str, Counter[str]]:
    totals: dict[str, Counter[str]] = {}
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await asyncio.wait_for(channel.channel_ready(), WAIT_S)  # it may have just been killed
        stub: Any = AdminServiceStub(channel)
        for entry in (
            await stub.QueryLedger(QueryLedgerRequest(page_size=1000), timeout=RPC_TIMEOUT_S)
        ).entries:
            counts = totals.setdefault(entry.producer_id, Counter())
            for name in ("sent", "stored", "duplicate", "dead_lettered", "missing_batch"):
                counts[f"{name}_count"] += getattr(entry, f"{name}_count")
    return totals


def main() -> None:
    """Run one storm and print its summary as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all-new", action="store_true", help="no duplicates, corrections or poison")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    breakages = [*kills(options.logs // 400, chance), *STATES]
    chance.shuffle(breakages)
    with machine() as services:
        summary = asyncio.run(
            storm(
                services,
                logs=options.logs,
                seed=options.seed,
                repeats=not options.all_new,
                breakages=breakages,
            )
        )
        print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
