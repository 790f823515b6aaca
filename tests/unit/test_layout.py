"""Rules of the repository: package names, locks, documentation and licences."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from llm_observe.v1.error_reason_pb2 import ErrorReason

ROOT = Path(__file__).parent.parent.parent
PACKAGES = (
    "telemetry",
    "storage",
    "analytics",
    "codec",
    "worker",
    "server",
    "streamlit_app",
    "stack",
    "tests",
)


@pytest.mark.parametrize("name", PACKAGES)
def test_root_packages_are_not_shadowed_by_dependencies(name):
    assert Path(importlib.import_module(name).__file__ or "").is_relative_to(ROOT)


def test_locks_name_no_index():
    for path in (ROOT / "requirements").glob("*.lock"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|--index-url|--find-links", text), path.name


def test_every_reason_is_documented_with_a_sample():
    proto = (ROOT / "proto/llm_observe/v1/error_reason.proto").read_text()
    documented = (ROOT / "docs/errors.md").read_text()
    for name in ErrorReason.keys():  # noqa: SIM118 - an enum wrapper, not a dict
        if name != "ERROR_REASON_UNSPECIFIED":
            assert f"`{name.removeprefix('ERROR_REASON_')}`" in documented, name
    assert proto.count("// Metadata:") == len(ErrorReason.keys()) - 1


PRODUCT = ("telemetry", "storage", "analytics", "codec", "worker", "server", "streamlit_app", "stack")


def settings_files():
    return [path for package in PRODUCT for path in (ROOT / package).rglob("*.py")]


def test_every_setting_is_documented():
    documented = (ROOT / "docs/operations.md").read_text()
    for path in settings_files():
        for variable in re.findall(r'alias="(\w+)"', path.read_text()):
            assert f"`{variable}`" in documented, variable
    for variable in re.findall(r"``(LLM_OBSERVE_\w+)``", (ROOT / "sdk/llm_observe/_config.py").read_text()):
        assert f"`{variable}`" in documented, variable


def test_pre_commit_runs_what_make_check_runs():
    (targets,) = re.findall(r"^CHECKS := (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"entry: make (\S+)", hooks) == targets.split()
    assert re.findall(r"repo: (\S+)", hooks) == ["local"]


@pytest.mark.parametrize("folder", ["", "sdk"])
def test_every_distribution_has_the_licence(folder):
    assert "Apache License" in (ROOT / folder / "LICENSE").read_text()
    assert 'license = "Apache-2.0"' in (ROOT / folder / "pyproject.toml").read_text()
