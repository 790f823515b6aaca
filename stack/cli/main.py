"""The llm-observe command."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stack import processes, readiness
from stack.cli.database import storage_settings
from stack.cli.dead_letters import dead_letters
from stack.cli.keys import keys, projects
from stack.cli.ledger import ledger
from stack.data_dir import DataDir
from stack.errors import StackError
from stack.processes import ProcessId
from stack.supervisor import Supervisor
from storage.errors import StorageError
from storage.migrate import migrate as migrate_database
from storage.pool import Database
from storage.rollups import verify_rollups
from telemetry.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_START_TIMEOUT_S: Final = 120.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """LLM Observe: record what happens when applications call LLMs."""


@cli.command()
@click.option("--detach", is_flag=True, help="Return when it is ready; stop it with `llm-observe down`.")
def up(detach: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Start everything and keep it running until Ctrl-C."""
    home = DataDir.from_env()
    if detach:
        _start_detached(home)
        return
    with home.lock():
        supervisor = Supervisor(home, say=lambda line: click.echo(f"  {line}", err=True))
        asyncio.run(supervisor.run(on_ready=lambda state: click.echo(ready_block(home, state))))
    click.echo("stopped", err=True)


def _start_detached(home: DataDir) -> None:
    home.lock().close()
    log = home.logs / "supervisor.log"
    child = processes.start(
        [sys.executable, "-m", "stack.cli.main", "up"], log=log, env=os.environ, death_signal=None
    )
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        state = home.read_state()
        if state.get("ready") and state["supervisor"]["pid"] == child.pid:
            click.echo(ready_block(home, state))
            return
        if child.poll() is not None:
            raise StackError(f"it ended at start: {_last_line(log.read_text())} (see {log})")
        time.sleep(0.1)
    raise StackError(f"not ready after {_START_TIMEOUT_S:g} s: see {log}")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no output")


def ready_block(home: DataDir, state: Mapping[str, Any]) -> str:
    """Return what a person needs to go on."""
    grpc_port, ui_port = state["ports"]["grpc"], state["ports"]["ui"]
    return f"""
LLM Observe is ready

  dashboard   http://127.0.0.1:{ui_port}
  gRPC        127.0.0.1:{grpc_port}
  data        {home.root}

  try it      grpcurl -plaintext 127.0.0.1:{grpc_port} llm_observe.v1.HealthService/Check
              LLM_OBSERVE_ENDPOINT=127.0.0.1:{grpc_port} {shlex.quote(sys.executable)} -c \\
                "import llm_observe as o; print(o.LLMClient('demo').chat('hello').text); print(o.flush())"
  fill it     {shlex.quote(str(Path(sys.executable).with_name("llm-observe")))} demo-traffic
  stop it     Ctrl-C, or llm-observe down
"""


@cli.command()
def down() -> None:
    """Stop what `up` started from this folder."""
    home = DataDir.from_env()
    process = _supervisor(home.read_state())
    if process is None:
        click.echo(f"nothing is running from {home.root}")
        return
    processes.stop(process, signal.SIGTERM, 60)
    click.echo("stopped")


def _supervisor(state: Mapping[str, Any]) -> Any:
    entry = state.get("supervisor")
    return ProcessId(entry["pid"], entry["create_time"]).find() if entry and state.get("processes") else None


@cli.command()
def status() -> None:
    """Show what runs and how it feels."""
    home = DataDir.from_env()
    state = home.read_state()
    if _supervisor(state) is None:
        raise StackError(f"nothing is running from {home.root}: start it with `llm-observe up`")
    for entry in state["processes"]:
        alive = ProcessId(entry["pid"], entry["create_time"]).find() is not None
        click.echo(f"{entry['name']:10} process {entry['pid']:<8} {'running' if alive else 'ended'}")
    health = asyncio.run(readiness.ask_health(state["ports"]["grpc"]))
    if health is None:
        raise StackError("the server does not answer")
    click.echo(f"\n{health}".rstrip())


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    applied = asyncio.run(migrate_database(storage_settings()))
    click.echo(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


@cli.group()
def rollups() -> None:
    """Check the hourly numbers."""


@rollups.command()
def verify() -> None:
    """Recompute every rollup from its raw logs and report what differs; status 1 when anything does."""
    found = asyncio.run(_verify())
    for row in found.rollups[:50]:
        key = " ".join(str(row[name]) for name in ("project_id", "hour", "provider", "model", "operation"))
        click.echo(f"differs: {key}: raw {row['expected_count']}, rollup {row['rollup_count']}")
    click.echo(f"{len(found.rollups)} rollups and {len(found.sketches)} sketch buckets differ")
    if found.rollups or found.sketches:
        raise SystemExit(1)


async def _verify() -> Any:
    database = Database(storage_settings(timeout_s=3600))
    try:
        return await verify_rollups(database)
    finally:
        await database.close()


@cli.command(name="demo-traffic")
@click.option("--calls", default=400, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same calls.")
def demo_traffic(calls: int, seed: int) -> None:
    """Make realistic calls through the SDK against a local mock of the OpenAI wire protocol."""
    from stack.demo.traffic import run_demo_traffic  # noqa: PLC0415 - loads openai

    ports = DataDir.from_env().read_state().get("ports") or {}
    endpoint = os.environ.get("LLM_OBSERVE_ENDPOINT") or f"127.0.0.1:{ports.get('grpc', 50051)}"
    result = run_demo_traffic(endpoint, calls=calls, seed=seed)
    click.echo(f"{result.sent} calls recorded, {result.dropped} dropped, {result.pending} still waiting")
    if result.dropped or result.pending:
        raise StackError(f"not everything arrived at {endpoint}: is LLM Observe running?")


cli.add_command(dead_letters)
cli.add_command(ledger)
cli.add_command(projects)
cli.add_command(keys)


def main() -> int:
    """Run the command; errors a person can mend are shown without a stack trace."""
    try:
        cli(standalone_mode=False)
    except (StackError, SettingsError, StorageError) as error:
        click.echo(f"llm-observe: {error}", err=True)
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except subprocess.SubprocessError as error:
        click.echo(f"llm-observe: {type(error).__name__}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
