"""scripts/k8s-minikube-deploy.sh, with programs that only note how they are called."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts/k8s-minikube-deploy.sh"
PROGRAMS = ("docker", "kubectl", "make", "minikube", "openssl")
PASSWORD = "a1b2" * 12
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
  *" get secret "*) exit "$HAS_SECRETS" ;;
  "openssl rand "*) echo "$PASSWORD" ;;
esac
"""


@pytest.fixture
def programs(tmp_path) -> Path:
    folder: Path = tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).write_text(STAND_IN)
        (folder / name).chmod(0o700)
    return folder


@pytest.fixture
def deploy(programs, tmp_path):
    calls = tmp_path / "calls"

    def run(*, is_first: bool = True, **changed: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        calls.unlink(missing_ok=True)
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls), "PASSWORD": PASSWORD,
            "HAS_SECRETS": str(int(is_first)), **changed,
        }  # fmt: skip
        done = subprocess.run(
            [SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        return done, calls.read_text().splitlines() if calls.exists() else []

    return run


def place(calls: list[str], pattern: str) -> int:
    return next(at for at, call in enumerate(calls) if re.search(pattern, call))


def test_images_and_secrets_come_before_the_product_and_all_is_waited_for(deploy):
    done, calls = deploy()
    assert done.returncode == 0, done.stderr
    order = (
        "make images", "image load .*llm-observe-app", "create secret generic", "create secret tls",
        "delete job migrate", "apply -k k8s/overlays/minikube", "rollout status statefulset/postgres",
        "wait .*job/migrate", "rollout status deployment/server", "rollout status deployment/app",
    )  # fmt: skip
    places = [place(calls, pattern) for pattern in order]
    assert places == sorted(places)


def test_no_other_cluster_is_touched(deploy):
    _, calls = deploy(MINIKUBE_PROFILE="trial")
    assert all(call.startswith("kubectl --context trial ") for call in calls if call.startswith("kubectl"))


def test_passwords_are_in_no_output_and_on_no_command_line(deploy):
    done, calls = deploy()
    assert PASSWORD not in done.stdout + done.stderr + "".join(calls)


def test_again_it_keeps_the_secrets(deploy):
    done, calls = deploy(is_first=False, SKIP_IMAGES="1")
    assert done.returncode == 0, done.stderr
    assert not [call for call in calls if " create secret " in call or "make images" in call]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_is_missing_is_named(deploy, programs, program):
    (programs / program).unlink()
    bash = programs / "bash"
    bash.symlink_to("/bin/bash")
    (programs / "dirname").symlink_to("/usr/bin/dirname")
    (programs / "env").symlink_to("/usr/bin/env")
    done, calls = deploy(PATH=str(programs))
    assert done.returncode == 1
    assert done.stderr == f"{program} is needed and not installed\n"
    assert calls == []
