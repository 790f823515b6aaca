"""A deployment that Docker Compose has brought up, as the checks see it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

WAIT_S = 300.0


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def compose(*arguments: str, check: bool = True) -> str:
    done = run("docker", "compose", *arguments, check=check)
    return (done.stdout + ("" if check else done.stderr)).strip()


def inside(service: str, *command: str, check: bool = True) -> str:
    return compose("exec", "-T", service, *command, check=check)


def sql(query: str) -> int:
    return int(inside("postgres", "psql", "-h", "/var/run/postgresql", "-U", "llm_observe", "-Atc", query))


def container(service: str) -> Any:
    """Describe the first container of a service."""
    name = compose("ps", "-aq", service).splitlines()[0]
    return json.loads(run("docker", "inspect", name).stdout)[0]


def until(what: str, check: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        if time.monotonic() > deadline:
            raise SystemExit(f"not so after {WAIT_S:.0f} s: {what}")
        time.sleep(0.5)


def is_healthy(service: str) -> bool:
    state = container(service)["State"]
    return bool(state["Running"]) and state["Health"]["Status"] == "healthy"


def check_counts(expected: int) -> None:
    until("all logs stored", lambda: sql("SELECT count(*) FROM logs") >= expected)
    until("nothing queued", lambda: inside("valkey", "valkey-cli", "xlen", "llm_observe:logs") == "0")
    counted = sql("SELECT count(*) FROM logs")
    ledger = inside("server", "llm-observe", "ledger")
    rows = [line.split("\t") for line in ledger.splitlines()]
    sent, stored, duplicate, rejected, dead, dropped, lost = (
        sum(int(row[column]) for row in rows) for column in range(2, 9)
    )
    say(f"rows {counted}; ledger: sent {sent}, stored {stored}, duplicate {duplicate}, rejected {rejected}, "
        f"dead {dead}, dropped {dropped}, lost {lost}")  # fmt: skip
    assert (counted, stored) == (expected, expected)
    assert (rejected, dead, dropped, lost) == (0, 0, 0, 0)
    verified = inside("server", "llm-observe", "rollups", "verify").splitlines()[-1]
    say(verified)
    assert verified == "0 rollups differ"
