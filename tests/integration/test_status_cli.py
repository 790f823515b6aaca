"""`llm-observe status` for a deployment that no launcher started here, by its exit status."""

from __future__ import annotations

import asyncio
import re

import pytest
from click.testing import CliRunner, Result

from stack.cli.main import cli
from tests.support.waiting import eventually


@pytest.fixture
def status(monkeypatch, tmp_path, server):
    """Ask the test's server, from a folder that was never made."""
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{server.port}")

    async def ask() -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, ["status"])

    return ask


async def test_a_healthy_deployment(status, worker):
    async def is_healthy():
        return (await status()).exit_code == 0

    await eventually(is_healthy)
    facts, address, verdict = (await status()).stdout.splitlines()
    assert re.match(r"postgres \d+\.\d ms · redis \d+\.\d ms · queue 0 \(oldest .\) · workers 1 · ", facts)
    assert address.endswith("(LLM_OBSERVE_ENDPOINT)")
    assert verdict == "healthy"


async def test_a_deployment_without_a_worker_is_degraded(status):
    done = await status()
    assert done.exit_code == 3
    assert done.stdout.splitlines()[-1].startswith("degraded: no worker runs, so nothing is stored")


async def test_a_server_that_does_not_answer(status, monkeypatch, unused_tcp_port):
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{unused_tcp_port}")
    done = await status()
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"server 127.0.0.1:{unused_tcp_port} (LLM_OBSERVE_ENDPOINT)",
        f"down: no answer from 127.0.0.1:{unused_tcp_port}: is it running?",
    ]


async def test_a_tls_file_that_cannot_be_read(status, monkeypatch, tmp_path):
    monkeypatch.setenv("LLM_OBSERVE_TLS", "true")
    monkeypatch.setenv("LLM_OBSERVE_TLS_CA_FILE", str(tmp_path / "none.pem"))
    done = await status()
    assert f"cannot read {tmp_path / 'none.pem'}" in str(done.exception)
