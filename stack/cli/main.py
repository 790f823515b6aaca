"""The llm-observe command."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import click
from llm_observe import ConfigError

from stack import processes
from stack.cli.alerts import alerts
from stack.cli.backup import backup, restore
from stack.cli.browser import open_dashboard
from stack.cli.completion import COMPLETE_VARIABLE, completion
from stack.cli.database import migrate
from stack.cli.dead_letters import dead_letters
from stack.cli.demo import demo_traffic
from stack.cli.doctor import doctor
from stack.cli.erase import erase
from stack.cli.export import export
from stack.cli.import_otlp import import_
from stack.cli.keys import keys
from stack.cli.ledger import ledger
from stack.cli.logs import logs
from stack.cli.output import hint
from stack.cli.program import program
from stack.cli.projects import projects
from stack.cli.reports import report, sql
from stack.cli.reprice import reprice
from stack.cli.rollups import rollups
from stack.cli.status import status
from stack.data_dir import DataDir
from stack.errors import StackError
from stack.supervisor import Supervisor
from storage.errors import StorageError
from telemetry.settings import SettingsError

if TYPE_CHECKING:
    from stack.data_dir import State

_START_TIMEOUT_S: Final = 120.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-observe-stack", prog_name="llm-observe")
def cli() -> None:
    """LLM Observe records every call that applications make to LLMs."""


@cli.command()
@click.option("--detach", is_flag=True, help="Return as soon as everything is ready; `down` stops it.")
def up(detach: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Start everything and run it until Ctrl-C."""
    from stack.process_settings import check_settings  # noqa: PLC0415 - prices take 0.2 s, and others need none

    check_settings()
    home = DataDir.from_env()
    home.create()
    if detach:
        _start_detached(home)
        return
    with home.lock():
        supervisor = Supervisor(home, report=lambda line: click.echo(f"  {line}", err=True))
        how_to_stop = f"Ctrl-C, or {program()} down"
        asyncio.run(supervisor.run(lambda state: click.echo(ready_block(home, state, how_to_stop))))
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
            click.echo(ready_block(home, state, f"{program()} down"))
            return
        if child.poll() is not None:
            raise StackError(f"the supervisor exited at startup: {_last_line(log.read_text())} (see {log})")
        time.sleep(0.1)
    raise StackError(f"not ready after {_START_TIMEOUT_S:g} s: see {log}")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no output")


def ready_block(home: DataDir, state: State, how_to_stop: str) -> str:
    """Return what a person needs to know after a start."""
    grpc_port, ui_port = state["ports"]["grpc"], state["ports"]["ui"]
    otlp_port = state["ports"].get("otlp")
    otlp = (
        f"OTLP        http://127.0.0.1:{otlp_port}, or gRPC as above"
        if otlp_port
        else "OTLP        gRPC as above"
    )
    return f"""
LLM Observe is ready

  dashboard   http://127.0.0.1:{ui_port}
  gRPC        127.0.0.1:{grpc_port}
  {otlp}
  data        {home.root}

  try it      grpcurl -plaintext 127.0.0.1:{grpc_port} llm_observe.v1.HealthService/Check
              LLM_OBSERVE_ENDPOINT=127.0.0.1:{grpc_port} {shlex.quote(sys.executable)} -c \\
                "import llm_observe as o; print(o.LLMClient('demo').chat('hello').text); print(o.flush())"
  fill it     {program()} demo-traffic
  stop it     {how_to_stop}
"""


@cli.command()
def down() -> None:
    """Stop what `up` started from this data folder."""
    home = DataDir.from_env()
    process = home.running_supervisor()
    if process is None:
        click.echo(f"nothing is running from {home.root}")
        return
    processes.stop(process, signal.SIGTERM, 60)
    click.echo("stopped")


for _command in (
    status,
    logs,
    open_dashboard,
    doctor,
    migrate,
    projects,
    keys,
    rollups,
    reprice,
    report,
    sql,
    ledger,
    dead_letters,
    alerts,
    export,
    import_,
    backup,
    restore,
    erase,
    demo_traffic,
    completion,
):
    cli.add_command(_command)


def main() -> int:
    """Run the command; errors that a person can fix are shown without a stack trace."""
    try:
        cli(prog_name=program(), complete_var=COMPLETE_VARIABLE, standalone_mode=False)
    except (StackError, SettingsError, StorageError, ConfigError) as error:
        hint(f"llm-observe: {error}")
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
