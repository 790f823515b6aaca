"""TLS and mTLS, from the server's settings to the SDK's and the dashboard's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import grpc
import pytest
from llm_observe.channel import open_channel, with_key
from llm_observe.v1.admin_service_pb2 import ListProjectsRequest
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub

from server.listener import StartError
from storage import api_keys
from tests.support.authority import Authority
from tests.support.rpc import RPC_TIMEOUT_S
from tests.support.server import start_server
from tests.support.waiting import WAIT_S, eventually
from worker.queue.broker import LogBroker
from worker.queue.log_queue import queue_stats


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "authority")


@pytest.fixture
async def secret(database):
    created = await api_keys.create_api_key(database, project_id="default", roles=["ingest", "admin"])
    assert created is not None
    return created.secret


async def serve(authority, database_url, queue_settings, **settings):
    certificate, key = authority.sign("server")
    return await start_server(
        database_url,
        queue_settings,
        require_keys=True,
        tls_cert_file=certificate,
        tls_key_file=key,
        **settings,
    )


def ask(port: int, secret: str, **tls) -> int:
    """List the projects as the dashboard and the command line would; return how many there are."""
    with open_channel(f"127.0.0.1:{port}", **tls) as channel:
        admin = AdminServiceStub(with_key(channel, secret))
        return len(admin.ListProjects(ListProjectsRequest(), timeout=RPC_TIMEOUT_S).projects)


def log_five(port: int, **env: str) -> str:
    """Run an application that logs five calls; return its output on stderr."""
    program = "import llm_observe as o\n[o.log(provider='p', model='m') for _ in range(5)]\n"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "LLM_OBSERVE_ENDPOINT": f"127.0.0.1:{port}",
            "LLM_OBSERVE_EXIT_TIMEOUT_S": str(WAIT_S),
            **env,
        },
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=True,
    )
    return done.stderr


async def test_an_application_sends_its_key_over_tls(authority, secret, database_url, queue_settings):
    server = await serve(authority, database_url, queue_settings)
    broker = LogBroker(queue_settings)
    env = {
        "LLM_OBSERVE_TLS": "true",
        "LLM_OBSERVE_TLS_CA_FILE": authority.ca_file,
        "LLM_OBSERVE_API_KEY": secret,
    }
    try:
        output = await asyncio.to_thread(log_five, server.port, **env)
        assert "dropped" not in output

        async def queued():
            return (await queue_stats(broker)).depth == 1

        await eventually(queued)
        assert await asyncio.to_thread(ask, server.port, secret, tls=True, ca_file=authority.ca_file) == 1
        output = await asyncio.to_thread(
            log_five, server.port, **{**env, "LLM_OBSERVE_API_KEY": "llmo_wrong"}
        )
        assert "5 dropped" in output
        assert secret not in output
    finally:
        await broker.shutdown()
        await server.stop(0.5)


async def test_a_client_that_does_not_trust_the_server_sends_nothing(
    authority, secret, database_url, queue_settings, tmp_path
):
    server = await serve(authority, database_url, queue_settings)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger")
    try:
        for tls in ({"tls": True, "ca_file": stranger.ca_file}, {"tls": True}, {}):
            with pytest.raises(grpc.RpcError) as caught:
                await asyncio.to_thread(ask, server.port, secret, **tls)
            assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    finally:
        await server.stop(0.5)


async def test_mtls_requires_a_certificate_of_the_right_authority(
    authority, secret, database_url, queue_settings, tmp_path
):
    server = await serve(authority, database_url, queue_settings, tls_client_ca_file=authority.ca_file)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger")
    trusted = {"tls": True, "ca_file": authority.ca_file}
    try:
        for certificate, key in (("", ""), stranger.sign("client")):
            with pytest.raises(grpc.RpcError):
                await asyncio.to_thread(
                    ask, server.port, secret, cert_file=certificate, key_file=key, **trusted
                )
        certificate, key = authority.sign("client")
        assert await asyncio.to_thread(
            ask, server.port, secret, cert_file=certificate, key_file=key, **trusted
        )
    finally:
        await server.stop(0.5)


async def test_a_missing_certificate_is_named(database_url, queue_settings):
    with pytest.raises(StartError, match=r"/no/such\.key"):
        await start_server(
            database_url, queue_settings, tls_cert_file="/no/such.pem", tls_key_file="/no/such.key"
        )
