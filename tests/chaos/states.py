"""States of the stores in which nothing is dead and yet nothing works."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import grpc
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from redis.asyncio import Redis

from tests.support.logs import make_log, make_request
from tests.support.machine import Machine
from tests.support.rpc import RPC_TIMEOUT_S, stub
from tests.support.waiting import eventually

CALLERS = 200
CALLER_MODEL = "caller"
"""Of logs that were refused and may be stored all the same, once what hung goes on."""

Enter = Callable[[Machine], AbstractAsyncContextManager[None]]


class State(NamedTuple):
    """How to bring it about, and the problem that health must name."""

    enter: Enter
    problem: str


@asynccontextmanager
async def _suspended(services: Machine) -> AsyncIterator[None]:
    services.running["valkey"].suspend()
    try:
        yield
    finally:
        services.running["valkey"].resume()


@asynccontextmanager
async def _sql(services: Machine) -> AsyncIterator[asyncpg.Connection]:
    """Connect as an operator, who may write also where the default is that nobody does."""
    connection = await asyncpg.connect(
        services.env["DATABASE_URL"], server_settings={"default_transaction_read_only": "off"}
    )
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _read_only(services: Machine) -> AsyncIterator[None]:
    async with _sql(services) as sql:
        name = await sql.fetchval("SELECT current_database()")
        await sql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await _end_sessions(sql)
    try:
        yield
    finally:
        async with _sql(services) as sql:
            await sql.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            await _end_sessions(sql)


async def _end_sessions(sql: asyncpg.Connection) -> None:
    await sql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@asynccontextmanager
async def _old_schema(services: Machine) -> AsyncIterator[None]:
    async with _sql(services) as sql:
        latest = await sql.fetchval("SELECT max(name) FROM schema_migrations")
        await sql.execute("UPDATE schema_migrations SET name = '0000' WHERE name = $1", latest)
        await sql.execute("ALTER TABLE log_keys RENAME TO log_keys_of_later")
    try:
        yield
    finally:
        async with _sql(services) as sql:
            await sql.execute("ALTER TABLE log_keys_of_later RENAME TO log_keys")
            await sql.execute("UPDATE schema_migrations SET name = $1 WHERE name = '0000'", latest)


def configured(setting: str, value: str, usual: str) -> Enter:
    """Return what gives a setting of Redis another value for a while."""

    @asynccontextmanager
    async def enter(services: Machine) -> AsyncIterator[None]:
        async with Redis.from_url(services.env["REDIS_URL"]) as redis:
            await redis.config_set(setting, value)
            try:
                yield
            finally:
                await redis.config_set(setting, usual)

    return enter


STATES = {
    "Valkey stopped by SIGSTOP": State(_suspended, "redis_down"),
    "read-only Postgres": State(_read_only, "postgres_read_only"),
    "schema of an earlier release": State(_old_schema, "postgres_old_schema"),
    "evicting policy": State(configured("maxmemory-policy", "allkeys-lru", "noeviction"), "redis_evicts"),
    "NOREPLICAS": State(configured("min-replicas-to-write", "1", "0"), "redis_refuses"),
}


async def hold(services: Machine, port: int, name: str, chance: random.Random) -> dict[str, Any]:
    """Hold a state until health has named its problem; return what health and callers were told."""
    state = STATES[name]
    await eventually(lambda: _named_problem(port, ""))  # the server may have just been killed
    async with state.enter(services):
        told = {"health": await eventually(lambda: _named_problem(port, state.problem))}
        if state.problem.startswith("redis_"):
            told |= await _call_at_once(port)
        await asyncio.sleep(chance.random() * 2)
    await eventually(lambda: _is_over(port, state.problem))
    return told


async def _named_problem(port: int, kind: str) -> str:
    """Return the message of a problem, or for no kind the whole state; empty where there is none."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            found = await stub(HealthServiceStub, channel).Check(CheckRequest(), timeout=RPC_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return ""
    if not kind:
        return "up"
    return next((problem.message for problem in found.problems if problem.kind == kind), "")


async def _is_over(port: int, kind: str) -> bool:
    return bool(await _named_problem(port, "")) and not await _named_problem(port, kind)


async def _call_at_once(port: int) -> dict[str, Any]:
    """Let many callers send a log; return how they were answered, and after how many seconds the last one."""
    answers: dict[str, int] = {}

    async def send(channel: grpc.aio.Channel) -> None:
        code = "OK"
        try:
            request = make_request(make_log(model=CALLER_MODEL))
            await stub(IngestServiceStub, channel).IngestLogs(request, timeout=RPC_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
        answers[code] = answers.get(code, 0) + 1

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
        begin = time.monotonic()
        await asyncio.gather(*(send(channel) for _ in range(CALLERS)))
    return {"callers": answers, "answered_s": round(time.monotonic() - begin, 2)}
