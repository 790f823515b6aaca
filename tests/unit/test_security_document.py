"""The bounds in docs/security.md are those of the code, each with a test that exists."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from llm_observe import limits
from llm_observe._config import Config

import server
from server import app
from telemetry.settings import EnvSettings

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs/security.md").read_text()
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<value>[\d,]+) \| `(?P<name>[\w.]+)` \| `(?P<proof>[^`]+)` \|$", re.MULTILINE
)

NO_BOUND_OF_REQUESTS = {
    "server.prefork._MAX_PAUSE_S": "how long a process that ends is not started again",
    "server.rpc.times._MAX_SECONDS": "the end of the year 9999",
    "llm_observe.limits.MAX_TEXT_CHARS": "a table, which docs/operations.md need not repeat",
    "llm_observe.limits.MAX_SPAN_TEXT_CHARS": "likewise",
}


class Bound(NamedTuple):
    what: str
    value: str
    name: str
    proof: str


BOUNDS = [Bound(**row.groupdict()) for row in ROW.finditer(TEXT)]


def defaults() -> Iterator[tuple[str, Any]]:
    """Yield every setting by its variable, with its default."""
    assert callable(app.build_server)  # its module imports every class of settings
    for kind in EnvSettings.__subclasses__():
        for field in kind.model_fields.values():
            yield str(field.alias), field.default
    for name, default in Config._field_defaults.items():
        yield f"LLM_OBSERVE_{name.upper()}", default


SETTINGS = dict(defaults())


def value_of(name: str) -> Any:
    """Return the default of a setting, or what a dotted name means."""
    if name in SETTINGS:
        return SETTINGS[name]
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"{name} is neither a setting nor a constant")


def test_every_line_of_a_table_of_bounds_is_read():
    tables = TEXT.partition("## Bounds")[2].partition("## Known limits")[0]
    lines = [
        line for line in tables.splitlines() if line.startswith("| ") and not line.startswith("| bound ")
    ]
    assert len(BOUNDS) == len(lines)


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.name)
def test_a_bound_is_as_documented(bound):
    value = value_of(bound.name)
    shown = value.days if isinstance(value, timedelta) else value
    assert f"{shown:,g}" == bound.value if isinstance(shown, float) else f"{shown:,}" == bound.value


@pytest.mark.parametrize("proof", sorted({bound.proof for bound in BOUNDS}))
def test_a_proof_exists(proof):
    path, _, function = proof.partition("::")
    text = (ROOT / path).read_text()
    assert not function or re.search(rf"^(async )?def {function}\(", text, re.MULTILINE)


def constants() -> Iterator[str]:
    """Yield the constants that bound something: of limits.py, and those of the server that are named MAX."""
    yield from (f"{limits.__name__}.{name}" for name in vars(limits) if name.startswith("MAX_"))
    folder = Path(server.__file__).parent
    for path in folder.rglob("*.py"):
        module = ".".join(path.relative_to(folder.parent).with_suffix("").parts)
        for name in re.findall(r"^(_?MAX_\w+): Final", path.read_text(), re.MULTILINE):
            yield f"{module}.{name}"


def test_every_constant_that_bounds_requests_is_documented():
    documented = {bound.name for bound in BOUNDS} | NO_BOUND_OF_REQUESTS.keys()
    assert [name for name in constants() if name not in documented] == []
