"""The environment of our processes: variables that they read, with values that they take."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from telemetry.settings import SettingsError, load_settings
from tests.k8s.manifests import Manifests, Object, Pod
from tests.k8s.rules.quantities import quantity
from tests.support.process_settings import SETTINGS, variables

COMMANDS = {
    "llm-observe migrate": "migrate",
    "llm-observe backup": "migrate",  # it reads the same
    "python -m server": "server",
    "python -m worker": "worker",
    "python -m worker scheduler": "scheduler",
    "python -m streamlit_app": "app",
}
"""Our commands, without options, and the process that each is."""
_LIBRARIES = ("AWS_", "OTEL_")
"""Beginnings of variables that libraries read."""
ALL_NAMES = frozenset[str]().union(*map(variables, SETTINGS))


def variables_are_settings(manifests: Manifests) -> Iterator[str]:
    """What stands in a ConfigMap is read by some process; what a container sets itself, by its own."""
    for item in manifests.of("ConfigMap"):
        for name in item["data"].keys() - ALL_NAMES:
            if not name.startswith(_LIBRARIES):
                yield f"ConfigMap/{item['metadata']['name']}: {name} is no setting"
    for pod, container, process in _ours(manifests):
        texts = " ".join(str(entry.get("value", "")) for entry in container.get("env", ()))
        for entry in container.get("env", ()):
            name = entry["name"]
            known = name in variables(process) or name.startswith(_LIBRARIES) or f"$({name})" in texts
            if not known:
                yield f"{pod.where}: {process} does not read {name}"


def settings_are_accepted(manifests: Manifests) -> Iterator[str]:
    """Each process would start with the environment that its container has."""
    with tempfile.TemporaryDirectory() as folder:
        password = Path(folder) / "password"
        password.write_text("secret")
        for pod, container, process in _ours(manifests):
            environment = manifests.environment(container)
            if environment.get("LLM_OBSERVE_DB_PASSWORD_FILE"):
                environment["LLM_OBSERVE_DB_PASSWORD_FILE"] = str(password)
            with mock.patch.dict(os.environ, environment, clear=True):
                for kind in SETTINGS[process]:
                    try:
                        load_settings(kind)
                    except SettingsError as error:
                        yield f"{pod.where}: {process}: {error}"


def commands_are_ours(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for container in pod.containers:
            if "llm-observe" in container["image"] and _command(container) not in COMMANDS:
                yield f"{pod.where}: {' '.join(container.get('args', ()))} is no command of ours"


def _ours(manifests: Manifests) -> Iterator[tuple[Pod, Object, str]]:
    for pod in manifests.pods():
        for container in pod.containers:
            if _command(container) in COMMANDS:
                yield pod, container, COMMANDS[_command(container)]


def _command(container: Object) -> str:
    """The command without its options."""
    words = container.get("args") or container.get("command", ("", "", ""))[2].split(" --")[0].split()
    return " ".join(words[: next((at for at, word in enumerate(words) if word.startswith("--")), None)])


def files_of_settings_are_mounted(manifests: Manifests) -> Iterator[str]:
    for pod, container, process in _ours(manifests):
        environment = manifests.environment(container)
        files = {"LLM_OBSERVE_DB_PASSWORD_FILE", "LLM_OBSERVE_HEARTBEAT_FILE", "LLM_OBSERVE_LAKE_URL"}
        for name in files & environment.keys() & variables(process):
            path = environment[name]
            mounts = [mount["mountPath"] for mount in container.get("volumeMounts", ())]
            if path.startswith("/") and not any(path == at or path.startswith(f"{at}/") for at in mounts):
                yield f"{pod.where}: {name} is {path}, where nothing is mounted"


def copies_of_the_lake_fit(manifests: Manifests) -> Iterator[str]:
    server = manifests.pod("server")
    megabytes = float(
        manifests.environment(server.spec["containers"][0])["LLM_OBSERVE_REPORT_COPIES_MEGABYTES"]
    )
    if megabytes * 2**20 >= (quantity(server.volumes["tmp"]["emptyDir"]["sizeLimit"]) or 0):
        yield "Deployment/server: copies of the lake's files do not fit into /tmp"


RULES = (
    variables_are_settings,
    settings_are_accepted,
    commands_are_ours,
    files_of_settings_are_mounted,
    copies_of_the_lake_fit,
)
