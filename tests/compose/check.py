"""Checks a deployment that is up: what it may do, what it survives, and that every count is exact.

Run in the project's folder with Docker Compose, as root on the machine that runs Docker, whose
processes it kills.
Logs are sent while each container is killed with SIGKILL; then the project goes down and comes up again.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from tests.compose.observability import check_observability
from tests.compose.project import (
    WAIT_S,
    check_counts,
    compose,
    container,
    inside,
    is_healthy,
    run,
    say,
    until,
)

OURS = ("server", "worker", "scheduler", "app")
STORES = ("valkey", "postgres")
DEMO_LOGS = 2000
SENT_LOGS = 3000
GRPC_PORT = 50051
ESTABLISHED, LOOPBACK = "01", "0100007F"
"""As /proc/net/tcp writes them."""

SENDER = """
import sys, time, llm_observe as o
count, endpoint = int(sys.argv[1]), sys.argv[2]
o.configure(endpoint=endpoint)
for number in range(count):
    o.log(provider="check", model=f"m{number % 7}", latency_s=0.1, input_tokens=3, output_tokens=5)
    time.sleep(0.02)
print(o.flush(300))
"""


def check_confinement() -> None:
    """Nothing runs as root, writes its image, keeps a capability or publishes a port beyond loopback."""
    for service in (*OURS, *STORES):
        described = container(service)
        host, uid = described["HostConfig"], inside(service, "id", "-u")
        assert uid != "0", service
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] > 0, service
        assert host["PidsLimit"] > 0, service
        assert host["LogConfig"]["Config"]["max-size"], service
        for published in (host["PortBindings"] or {}).values():
            assert {binding["HostIp"] for binding in published} == {"127.0.0.1"}, service
        assert "Read-only file system" in inside(service, "sh", "-c", "touch /etc/x", check=False), service
        environment = " ".join(described["Config"]["Env"])
        assert "POSTGRES_PASSWORD=" not in environment, service
        say(f"{service}: uid {uid}, {host['Memory'] >> 20} MiB, read-only, no capabilities")
    for service in ("server", "worker"):
        inside(
            service, "sh", "-c", "touch /var/lib/llm-observe/lake/check && rm /var/lib/llm-observe/lake/check"
        )
    assert inside("valkey", "valkey-cli", "config", "get", "appendfsync").split()[-1] == "always"
    assert inside("valkey", "valkey-cli", "config", "get", "maxmemory-policy").split()[-1] == "noeviction"


def check_commands() -> None:
    """The command line works in a container that cannot write."""
    say("status: " + "; ".join(inside("server", "llm-observe", "status").replace("\t", " ").splitlines()))
    say(inside("server", "llm-observe", "demo-traffic", "--logs", str(DEMO_LOGS)))
    say("ledger: " + inside("server", "llm-observe", "ledger").replace("\t", " "))
    say(inside("server", "llm-observe", "rollups", "verify"))
    started = time.monotonic()
    inside("server", "python", "-m", "server", "health")
    say(f"python -m server health, by docker exec: {time.monotonic() - started:.2f} s")


def start_sender(endpoint: str) -> str:
    """Send SENT_LOGS logs from a container of its own, which takes about a minute; return its id."""
    command = ("python", "-c", SENDER, str(SENT_LOGS), endpoint)
    return compose("run", "-d", "-T", "--no-deps", "server", *command).splitlines()[-1]


def kill(service: str) -> None:
    """Kill a container's first process, as a crash would; the restart policy brings it back."""
    before = container(service)["State"]
    os.kill(before["Pid"], signal.SIGKILL)
    until(f"{service} restarted", lambda: container(service)["State"]["StartedAt"] != before["StartedAt"])
    started = time.monotonic()
    until(f"{service} healthy", lambda: is_healthy(service))
    say(f"{service}: killed, restarted, healthy {time.monotonic() - started:.1f} s later")


def finish_sender(sender: str) -> None:
    run("docker", "wait", sender)
    said = run("docker", "logs", sender).stdout.strip()
    run("docker", "rm", sender)
    say(f"sender: {said}")
    assert f"sent={SENT_LOGS}, dropped=0, pending=0" in said


def check_stops() -> None:
    """Each of ours ends by itself when it is asked to."""
    for service in OURS:
        started = time.monotonic()
        compose("stop", service)
        code = container(service)["State"]["ExitCode"]
        say(f"{service}: stopped in {time.monotonic() - started:.1f} s, exit status {code}")
        assert code == 0, service


def check_everything() -> None:
    say(
        "images: "
        + run("docker", "images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}").stdout.replace("\n", ", ")
    )
    check_confinement()
    check_commands()
    sender = start_sender("server:50051")
    for victim in ("worker", "server", "valkey", "postgres", "scheduler", "app", "worker", "server"):
        kill(victim)
    finish_sender(sender)
    check_counts(DEMO_LOGS + SENT_LOGS)
    say(
        "memory: "
        + run("docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").stdout.replace(
            "\n", ", "
        )
    )
    check_stops()
    compose("down")
    say("down")
    started = time.monotonic()
    compose("up", "-d", "--wait", "--wait-timeout", str(int(WAIT_S)))
    say(f"up again in {time.monotonic() - started:.0f} s")
    check_counts(DEMO_LOGS + SENT_LOGS)


def count_connections(name: str) -> int:
    """Count the open connections to a server's port, but for those of its health check."""
    table = run("docker", "exec", name, "cat", "/proc/net/tcp", "/proc/net/tcp6").stdout.splitlines()
    rows = [line.split()[1:4] for line in table]
    return sum(
        local.endswith(f":{GRPC_PORT:04X}") and state == ESTABLISHED and LOOPBACK not in remote
        for local, remote, state in rows
    )


def check_scale() -> None:
    """Calls are spread over all servers, and none is lost when one of them dies."""
    servers = compose("ps", "-q", "server", "more-servers").splitlines()
    say(f"{len(servers)} servers, {len(compose('ps', '-q', 'worker').splitlines())} workers")
    sender = start_sender("proxy:50050")
    until("every server called", lambda: all(count_connections(name) for name in servers))
    say("connections of each server: " + ", ".join(str(count_connections(name)) for name in servers))
    kill("more-servers")
    kill("server")
    finish_sender(sender)
    check_counts(SENT_LOGS)


if __name__ == "__main__":
    {
        "everything": check_everything,
        "scale": check_scale,
        "observability": check_observability,
    }[sys.argv[1]]()
