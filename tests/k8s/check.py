"""Checks a cluster that runs k8s/overlays/minikube: what it survives, and that every count is exact.

Run as `python -m tests.k8s.check`, with the cluster as the current context of kubectl. Logs are sent from
another namespace while servers are rolled out, pods deleted, workers scaled and nodes drained.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

NAMESPACE, SENDERS = "llm-observe", "llm-observe-check"
SENT_LOGS = 3000
WAIT_S = 600.0
SENDER = f"""
import time, llm_observe as o
o.configure(endpoint="server.{NAMESPACE}.svc:50051")
for number in range({SENT_LOGS}):
    o.log(provider="check", model=f"m{{number % 7}}", latency_s=0.1, input_tokens=3, output_tokens=5)
    time.sleep(0.2)
print(o.flush(300))
"""


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


def kubectl(*arguments: str, given: str = "", check: bool = True) -> str:
    done = subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"kubectl {' '.join(arguments)}: {done.stdout}\n{done.stderr}")
    return done.stdout.strip()


def ours(*arguments: str, check: bool = True) -> str:
    return kubectl("--namespace", NAMESPACE, *arguments, check=check)


def inside(workload: str, *command: str) -> str:
    return ours("exec", workload, "--", *command)


def until(what: str, check: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        if time.monotonic() > deadline:
            raise SystemExit(f"not so after {WAIT_S:.0f} s: {what}")
        time.sleep(1)


def wait_until_ready() -> None:
    for name in ("statefulset/postgres", "statefulset/valkey"):
        ours("rollout", "status", name, f"--timeout={WAIT_S:.0f}s")
    for name in ("server", "worker", "scheduler", "app"):
        ours("rollout", "status", f"deployment/{name}", f"--timeout={WAIT_S:.0f}s")


def start_sender() -> None:
    """Start a pod that sends SENT_LOGS logs, which takes ten minutes, as restricted as ours."""
    image = ours("get", "deployment/server", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
    context = {
        "runAsNonRoot": True, "runAsUser": 10001, "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    container = {
        "name": "sender",
        "image": image,
        "args": ["python", "-c", SENDER],
        "securityContext": context,
    }
    spec = {"restartPolicy": "Never", "enableServiceLinks": False, "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sender"}, "spec": spec}
    kubectl("delete", "namespace", SENDERS, "--ignore-not-found")
    kubectl("create", "namespace", SENDERS)
    kubectl("label", "namespace", SENDERS, "llm-observe/client=true")
    kubectl("--namespace", SENDERS, "apply", "-f", "-", given=json.dumps(pod))


def sender_phase() -> str:
    return kubectl("--namespace", SENDERS, "get", "pod/sender", "-o", "jsonpath={.status.phase}")


def finish_sender() -> None:
    until("all logs sent", lambda: sender_phase() in {"Succeeded", "Failed"})
    said = kubectl("--namespace", SENDERS, "logs", "sender")
    say(f"sender: {said}")
    assert f"sent={SENT_LOGS}, dropped=0, pending=0" in said
    kubectl("delete", "namespace", SENDERS)


def delete_every_pod() -> None:
    selector = (
        "--selector",
        "app.kubernetes.io/part-of=llm-observe",
        "--field-selector",
        "status.phase=Running",
    )
    for pod in ours("get", "pods", *selector, "-o", "name").splitlines():
        started = time.monotonic()
        ours("delete", pod, "--ignore-not-found")
        wait_until_ready()
        say(f"{pod}: deleted, and all is ready again {time.monotonic() - started:.0f} s later")


def drain_every_node() -> None:
    """Where pods have nowhere else to go, the budget holds the last server until it can."""
    for node in kubectl("get", "nodes", "-o", "name").splitlines():
        only_ours = "--pod-selector=app.kubernetes.io/part-of=llm-observe"
        kubectl("drain", node, only_ours, "--delete-emptydir-data", "--timeout=60s", check=False)
        kubectl("uncordon", node)
        wait_until_ready()
        say(f"{node}: drained, and all is ready again")


def check_backup() -> None:
    """Run the Job that the CronJob makes every night."""
    cron_job = json.loads(ours("get", "cronjob/backup", "-o", "json"))
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "backup-now"},
        "spec": cron_job["spec"]["jobTemplate"]["spec"],
    }
    ours("delete", "job/backup-now", "--ignore-not-found")
    kubectl("--namespace", NAMESPACE, "create", "-f", "-", given=json.dumps(job))
    ours("wait", "--for=condition=complete", "job/backup-now", f"--timeout={WAIT_S:.0f}s")
    say(f"backup: {ours('logs', 'job/backup-now')}")
    ours("delete", "job/backup-now")


def counts() -> tuple[int, ...]:
    """Return sent, stored, duplicate, rejected, dead, dropped and lost, of all producers."""
    rows = [line.split("\t") for line in inside("deployment/server", "llm-observe", "ledger").splitlines()]
    return tuple(sum(int(row[column]) for row in rows) for column in range(2, 9))


def main() -> None:
    wait_until_ready()
    before = counts()
    start_sender()
    until("logs arrive", lambda: counts()[1] > before[1])
    ours("rollout", "restart", "deployment/server")
    wait_until_ready()
    say("servers rolled out")
    delete_every_pod()
    ours("scale", "deployment/worker", "--replicas=3")
    wait_until_ready()
    say("three workers")
    drain_every_node()
    say(f"sender: {sender_phase()}, {counts()[1] - before[1]} logs stored")
    finish_sender()
    until("all logs stored", lambda: counts()[1] - before[1] >= SENT_LOGS)
    changes = [now - earlier for now, earlier in zip(counts(), before, strict=True)]
    say("sent {}, stored {}, duplicate {}, rejected {}, dead {}, dropped {}, lost {}".format(*changes))
    assert changes[1] == SENT_LOGS
    assert changes[3:] == [0, 0, 0, 0]
    verified = inside("deployment/server", "llm-observe", "rollups", "verify").splitlines()[-1]
    say(verified)
    assert verified == "0 rollups differ"
    check_backup()


if __name__ == "__main__":
    main()
