"""TLS and mTLS, from the server's settings to the SDK's and the dashboard's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner
from llm_observe import ConfigError
from llm_observe._config import Config
from llm_observe._exporter import GrpcExporter
from llm_observe.channel import open_channel, with_key
from llm_observe.v1.admin_service_pb2 import ListProjectsRequest
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub

from server.listener import StartError
from stack.cli.main import cli
from stack.errors import StackError
from storage import api_keys
from streamlit_app.settings import AppSettings
from telemetry.settings import SettingsError, load_settings
from tests.support.certificates import Authority
from tests.support.logs import make_log, make_request
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
    with pytest.raises(StartError, match=r"/no/such\.pem"):
        await start_server(
            database_url, queue_settings, tls_cert_file="/no/such.pem", tls_key_file="/no/such.key"
        )


# -- whatever is wrong is said, at once ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A connection that cannot be made."""

    said: str
    """Part of what everybody who tries is told."""
    serves_tls: bool = True
    wants_certificate: bool = False
    host: str = "localhost"
    expired: bool = False
    asks_for_tls: bool = True
    trusts: str = "ours"
    shows: str = ""
    """Whose certificate the client shows."""
    shows_expired: bool = False


WRONG = {
    "authority": Wrong(said="no authority that is trusted here", trusts="stranger"),
    "no authority": Wrong(said="no authority that is trusted here", trusts=""),
    "expired": Wrong(said="has expired", expired=True),
    "host": Wrong(said="is for another host name", host="observe.example"),
    "plain text to TLS": Wrong(said="may require TLS", asks_for_tls=False),
    "TLS to plain text": Wrong(said="does not speak TLS", serves_tls=False),
    "no client certificate": Wrong(said="client's certificate", wants_certificate=True),
    "client certificate of another": Wrong(
        said="client's certificate", wants_certificate=True, shows="stranger"
    ),
    "expired client certificate": Wrong(
        said="client's certificate", wants_certificate=True, shows="ours", shows_expired=True
    ),
}


@pytest.fixture
def connect(authority, database_url, queue_settings, tmp_path, monkeypatch):
    """Start a server, and set the environment of its clients; return the server."""
    (tmp_path / "other").mkdir()
    authorities = {"ours": authority, "stranger": Authority(tmp_path / "other", "stranger")}

    async def start(wrong: Wrong):
        certificate, key = authority.sign("server", host=wrong.host, expired=wrong.expired)
        tls = {"tls_cert_file": certificate, "tls_key_file": key} if wrong.serves_tls else {}
        if wrong.wants_certificate:
            tls["tls_client_ca_file"] = authority.ca_file
        server = await start_server(database_url, queue_settings, **tls)
        env = {"LLM_OBSERVE_ENDPOINT": f"127.0.0.1:{server.port}"}
        if wrong.asks_for_tls:
            env |= {"LLM_OBSERVE_TLS": "true"}
        if wrong.asks_for_tls and wrong.trusts:
            env |= {"LLM_OBSERVE_TLS_CA_FILE": authorities[wrong.trusts].ca_file}
        if wrong.shows:
            shown = authorities[wrong.shows].sign("client", expired=wrong.shows_expired)
            env |= dict(zip(("LLM_OBSERVE_TLS_CERT_FILE", "LLM_OBSERVE_TLS_KEY_FILE"), shown, strict=True))
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return server

    return start


@pytest.mark.parametrize("kind", WRONG)
async def test_a_command_says_what_is_wrong_with_tls(connect, kind):
    server = await connect(WRONG[kind])
    try:
        status = await asyncio.to_thread(CliRunner().invoke, cli, ["status"])
        assert status.exit_code == 1
        assert WRONG[kind].said in status.output
        ledger = await asyncio.to_thread(CliRunner().invoke, cli, ["ledger"])
        assert isinstance(ledger.exception, StackError)
        assert WRONG[kind].said in str(ledger.exception)
    finally:
        await server.stop(0.5)


@pytest.mark.parametrize("kind", WRONG)
async def test_the_sdk_says_once_what_is_wrong_with_tls(connect, kind, caplog):
    server = await connect(WRONG[kind])
    exporter = GrpcExporter(Config.from_env())
    try:
        for _ in range(3):
            result = await asyncio.to_thread(exporter.export, make_request(make_log()), RPC_TIMEOUT_S)
            assert result.retry  # a certificate can be renewed
        said = [record.getMessage() for record in caplog.records if record.name == "llm_observe"]
        assert len(said) == 1
        assert WRONG[kind].said in said[0]
    finally:
        exporter.close()
        await server.stop(0.5)


# -- files ---------------------------------------------------------------------------------------------------


def spoil(path: str, kind: str) -> str:
    """Write a file that is no TLS file beside one that is; return its name."""
    content = Path(path).read_text()
    spoiled = Path(path).with_suffix(".spoiled")
    spoiled.write_text(
        {"empty": "", "text": "not PEM\n", "cut": content[:200], "base64": content.replace("M", "A")}[kind]
    )
    return str(spoiled)


SPOILED = ("empty", "text", "cut", "base64")


@pytest.mark.parametrize("kind", SPOILED)
@pytest.mark.parametrize("part", ["ca_file", "cert_file", "key_file"])
def test_a_spoiled_file_of_a_client_is_named(authority, part, kind):
    """gRPC would try for ever with it, and say so on stderr alone."""
    certificate, key = authority.sign("client")
    files = {"ca_file": authority.ca_file, "cert_file": certificate, "key_file": key}
    files[part] = spoil(files[part], kind)
    with pytest.raises(OSError, match="PEM") as caught:
        open_channel("127.0.0.1:1", tls=True, **files)
    assert files[part] in str(caught.value)


@pytest.mark.parametrize("kind", SPOILED)
@pytest.mark.parametrize("part", ["tls_client_ca_file", "tls_cert_file", "tls_key_file"])
async def test_a_server_does_not_start_with_a_spoiled_file(
    authority, database_url, queue_settings, part, kind
):
    """Least of all without the authority that clients' certificates are checked by."""
    certificate, key = authority.sign("server")
    files = {"tls_cert_file": certificate, "tls_key_file": key, "tls_client_ca_file": authority.ca_file}
    files[part] = spoil(files[part], kind)
    with pytest.raises(StartError, match="PEM") as caught:
        await start_server(database_url, queue_settings, **files)
    assert files[part] in str(caught.value)


def test_a_key_of_another_certificate_is_named(authority):
    (certificate, _), (_, key) = authority.sign("one"), authority.sign("two")
    with pytest.raises(OSError, match="no certificate with its key"):
        open_channel("127.0.0.1:1", tls=True, cert_file=certificate, key_file=key)


@pytest.mark.parametrize("part", ["cert_file", "key_file"])
def test_a_certificate_without_its_key_is_an_error_and_not_the_end_of_the_process(authority, part):
    """gRPC calls abort()."""
    files = dict(zip(("cert_file", "key_file"), authority.sign("client"), strict=True))
    with pytest.raises(ConfigError, match="together"):
        open_channel("127.0.0.1:1", tls=True, **{part: files[part]})
    with pytest.raises(SettingsError, match="LLM_OBSERVE_TLS_KEY_FILE"):
        load_settings(AppSettings, **{f"tls_{part}": files[part]})
