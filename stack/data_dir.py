"""The data folder: stores, logs, generated passwords, and the state of the running processes."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NotRequired, TypedDict, TypeGuard

from stack.errors import StackError
from stack.processes import ProcessId

if TYPE_CHECKING:
    import psutil


class ProcessEntry(TypedDict):
    """One running process; the start time tells it apart from a later one with the same PID."""

    name: NotRequired[str]
    pid: int
    create_time: float


class State(TypedDict, total=False):
    """What the supervisor last wrote about the running processes; empty before the first start."""

    supervisor: ProcessEntry
    ready: bool
    save_time: str
    ports: dict[str, int]
    processes: list[ProcessEntry]
    database_url: str
    redis_url: str


@dataclass(frozen=True, slots=True)
class DataDir:
    """One installation's folder: ``LLM_OBSERVE_HOME``, by default ``.llm-observe`` in the current folder."""

    root: Path

    @classmethod
    def from_env(cls) -> DataDir:
        """Return the folder, whether it exists or not."""
        return cls(Path(os.environ.get("LLM_OBSERVE_HOME") or ".llm-observe").expanduser().resolve())

    def create(self) -> None:
        """Create the folder if it is missing. Only ``up`` needs one.

        Raises:
            StackError: It cannot be created or written.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            (self.root / "data").mkdir(exist_ok=True)
        except OSError as error:
            raise StackError(
                f"cannot write to {self.root} ({error.strerror}): set LLM_OBSERVE_HOME to another folder"
            ) from error

    @property
    def logs(self) -> Path:
        """Log files of every process."""
        return self.root / "logs"

    @property
    def valkey_data(self) -> Path:
        """Valkey's append-only file."""
        return self.root / "data" / "valkey"

    @property
    def postgres_data(self) -> Path:
        """Postgres' data directory, unless it had to go elsewhere (stack.embedded.postgres)."""
        return self.root / "data" / "postgres"

    @property
    def lake(self) -> Path:
        """Parquet files of finished hours."""
        return self.root / "lake"

    def secret(self, name: str) -> str:
        """Return a generated password, the same one every time.

        Raises:
            StackError: The file of passwords is damaged.
        """
        path = self.root / "secrets.json"
        known = _read_json(path) if path.exists() else {}
        if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
            raise StackError(
                f"{path} is damaged; it has the passwords of the stores in {self.root}: put back a copy, "
                "or delete the folder to start over without what is in it"
            )
        if name not in known:
            known[name] = secrets.token_urlsafe(24)
            write_private(path, json.dumps(known))
        return str(known[name])

    def read_state(self) -> State:
        """Return what the last supervisor wrote; empty if none did.

        Raises:
            StackError: It is not what a supervisor writes.
        """
        path = self.root / "state.json"
        if not path.exists():
            return {}
        state = _read_json(path)
        if not _is_state(state):
            raise StackError(
                f"{path} is damaged; it says what runs from {self.root}: stop that, and delete the file"
            )
        return state

    def write_state(self, state: State) -> None:
        """Replace the state of the running processes, atomically."""
        write_private(self.root / "state.json", json.dumps(state, indent=1))

    def running_supervisor(self) -> psutil.Process | None:
        """Return the supervisor that runs from this folder."""
        state = self.read_state()
        entry = state.get("supervisor")
        if entry is None or not state.get("processes"):
            return None
        return ProcessId(entry["pid"], entry["create_time"]).find()

    def lock(self) -> IO[str]:
        """Lock the folder for this process until the file is closed.

        Raises:
            StackError: Another supervisor holds the lock.
        """
        handle = (self.root / "lock").open("a+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            raise StackError(
                f"LLM Observe is already running from {self.root}: see `llm-observe status`, "
                "stop it with `llm-observe down`, or set LLM_OBSERVE_HOME to another folder"
            ) from None
        return handle


def _is_state(value: object) -> TypeGuard[State]:
    """Tell whether a value has the form in which a supervisor writes its state."""
    if not isinstance(value, dict):
        return False
    ports, entries = value.get("ports", {}), value.get("processes", [])
    return (
        isinstance(ports, dict)
        and all(isinstance(port, int) for port in ports.values())
        and isinstance(entries, list)
        and all(_is_entry(entry) and isinstance(entry.get("name"), str) for entry in entries)
        and ("supervisor" not in value or _is_entry(value["supervisor"]))
    )


def _is_entry(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("pid"), int)
        and isinstance(value.get("create_time"), int | float)
    )


def _read_json(path: Path) -> object:
    """Return what a file holds; None where it cannot be read as JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, atomically, also if the machine loses power."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
