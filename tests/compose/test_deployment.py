"""The images built and the deployment run for real. Slow, and needs what most machines lack: see skip()."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
STAND_INS = Path(__file__).parent / "standins"
TOOL = os.environ.get("COMPOSE_VERIFY", "")
"""A program that runs a project in a Docker Engine of its own, with stand-ins for base images."""
BASES = {"PYTHON_IMAGE": "python:3.11-slim-bookworm"}
"""The stand-in for the base image has no other tag."""

pytestmark = [
    pytest.mark.compose,
    pytest.mark.skipif(not TOOL, reason="COMPOSE_VERIFY names no compose_verify.sh to run containers with"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a Docker Engine of one's own needs root"),
]


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tool, with a stand-in for the proxy."""
    folder = tmp_path_factory.mktemp("tool")
    shutil.copytree(Path(TOOL).parent, folder, dirs_exist_ok=True)
    shutil.copytree(STAND_INS, folder / "standins", dirs_exist_ok=True)
    return folder / Path(TOOL).name


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what Git would commit."""
    folder = tmp_path_factory.mktemp("project")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


WITHOUT_GRAFANA = "server worker scheduler app collector jaeger prometheus"
"""Nothing stands in for it."""


@pytest.mark.parametrize(
    ("check", "options", "services", "settings"),
    [
        ("everything", (), "", ""),
        ("scale", ("--profile", "scale"), "", ""),
        (
            "observability",
            ("--profile", "observability"),
            WITHOUT_GRAFANA,
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317\n",
        ),
    ],
)
def test_the_deployment(tool, project, check, options, services, settings):
    (project / ".env").write_text((project / ".env.example").read_text() + settings)
    work = os.environ.get("COMPOSE_VERIFY_WORK") or str(project.parent / "work")
    command = f"{sys.executable} -m tests.compose.check {check}"
    done = subprocess.run(
        [str(tool), work, str(project), *options, "--", command],
        env={"CV_TIMEOUT": "600", **os.environ, **BASES, "CV_UP_ARGS": services},
        check=False,
    )
    assert done.returncode == 0
