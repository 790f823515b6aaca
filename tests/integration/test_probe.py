"""`python -m server health`: the answer of a real server, over every kind of connection, without gRPC."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from server import probe
from tests.support.certificates import Authority
from tests.support.server import running_server
from tests.support.waiting import WAIT_S


async def ask(**env: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "server", "health"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )


async def test_a_server_that_serves(server):
    done = await ask(LLM_OBSERVE_GRPC_PORT=str(server.port), LLM_OBSERVE_GRPC_HOST="0.0.0.0")
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_server_that_is_stopping(server):
    await server.health_checks.enter_graceful_shutdown()
    done = await ask(LLM_OBSERVE_GRPC_PORT=str(server.port))
    assert (done.returncode, done.stderr) == (1, f"127.0.0.1:{server.port} does not serve\n")


async def test_no_server(unused_tcp_port):
    done = await ask(LLM_OBSERVE_GRPC_PORT=str(unused_tcp_port))
    assert done.returncode == 1
    assert "refused" in done.stderr


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\4\0\0\0\0\0"])
async def test_something_else_on_the_port(answer):
    async def respond(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        assert (await ask(LLM_OBSERVE_GRPC_PORT=str(port))).returncode == 1


async def test_a_server_with_tls(database_url, queue_settings, tmp_path):
    cert_file, key_file = Authority(tmp_path, "ca").sign("server")
    files: dict[str, Any] = {"tls_cert_file": cert_file, "tls_key_file": key_file}
    async with running_server(database_url, queue_settings, **files) as running:
        port = str(running.port)
        done = await ask(LLM_OBSERVE_GRPC_PORT=port, LLM_OBSERVE_SERVER_TLS_CERT_FILE=cert_file)
        assert (done.returncode, done.stderr) == (0, "")
        assert (await ask(LLM_OBSERVE_GRPC_PORT=port)).returncode == 1


async def test_a_server_that_requires_client_certificates(database_url, queue_settings, tmp_path):
    authority = Authority(tmp_path, "ca")
    cert_file, key_file = authority.sign("server")
    files: dict[str, Any] = {
        "tls_cert_file": cert_file,
        "tls_key_file": key_file,
        "tls_client_ca_file": authority.ca_file,
    }
    async with running_server(database_url, queue_settings, **files) as running:
        env = {
            "LLM_OBSERVE_GRPC_PORT": str(running.port),
            "LLM_OBSERVE_SERVER_TLS_CERT_FILE": cert_file,
            "LLM_OBSERVE_SERVER_TLS_CLIENT_CA_FILE": authority.ca_file,
        }
        done = await ask(**env)
        assert done.returncode == 1
        assert "set LLM_OBSERVE_TLS_CERT_FILE" in done.stderr
        done = await ask(**env, LLM_OBSERVE_TLS_CERT_FILE=cert_file, LLM_OBSERVE_TLS_KEY_FILE=key_file)
        assert (done.returncode, done.stderr) == (0, "")


def test_it_imports_neither_grpc_nor_settings():
    code = (
        "import sys, server.__main__, server.probe; "
        "print({'grpc', 'pydantic', 'asyncio', 'ssl'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=WAIT_S
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("[::]", "::1"),
        ("10.0.0.7", "10.0.0.7"),
        ("localhost", "localhost"),
    ],
)
def test_where_a_server_is_reached(host, reached):
    assert probe.reachable_host(host) == reached
