"""No setting, metric, reason, method or command goes undocumented, and none is documented that is gone.

Reasons and the names of settings: test_layout.py; metrics: test_metrics_table.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from llm_observe.redaction import KINDS
from llm_observe.v1.error_reason_pb2 import ErrorReason
from pydantic_settings import BaseSettings

from scripts.api_reference import Reference, read_protos
from storage import dead_letters
from telemetry.metrics import TABLE
from tests.support.methods import METHODS
from tests.support.process_settings import SETTINGS
from tests.support.repository import ROOT, tracked_files
from tests.support.server import SERVICES
from tests.unit.test_layout import settings_files
from tests.unit.test_metrics_table import series_of

PAGES = {name: (ROOT / name).read_text() for name in tracked_files() if name.endswith(".md")}
HISTORY = ("CHANGELOG.md", "docs/decisions/")
CODE = "\n".join(
    (ROOT / name).read_text(errors="replace")
    for name in tracked_files()
    if Path(name).suffix not in {".md", ".png", ".lock", ".binpb"} and not name.startswith("tests/")
)


def test_the_api_reference_is_fresh():
    pages = Reference(read_protos()).pages()
    found = {path.name: path.read_text() for path in (ROOT / "docs/api").iterdir()}
    assert found == pages, "run `make docs`"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_described(method: str):
    """It says what it does; its section has more than its signature."""
    service, name = method.split("/")
    page = re.sub(r"(?<!^)(?=[A-Z])", "-", service).lower()
    text = PAGES[f"docs/api/{page}.md"]
    (section,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert re.search(rf"^{name} \w+", section, re.MULTILINE)


@pytest.mark.parametrize("service", [service.name for service in SERVICES.values()])
def test_every_service_is_shown_at_work(service: str):
    assert f"llm_observe.v1.{service}/" in PAGES["docs/grpcurl.md"]


def documented_defaults() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| ", PAGES["docs/operations.md"], re.MULTILINE)
    for variable, default in rows:
        found.setdefault(variable, set()).add(default)
    return found


def default_of(value: object) -> str:
    """Return a default as the tables of docs/operations.md write it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:_}"
    return "empty" if value is None else str(value) or "empty"


SETTINGS_KINDS = sorted(
    {kind for kinds in SETTINGS.values() for kind in kinds}, key=lambda kind: kind.__name__
)


@pytest.mark.parametrize("kind", SETTINGS_KINDS, ids=lambda kind: kind.__name__)
def test_documented_defaults_are_the_real_ones(kind: type[BaseSettings]):
    documented = documented_defaults()
    for field in kind.model_fields.values():
        value = "required" if field.is_required() else field.get_default(call_default_factory=True)
        default = str(value) if str(field.alias).endswith("_PORT") else default_of(value)
        assert default in documented[str(field.alias)], field.alias


def test_no_page_names_a_setting_that_is_gone():
    known = set(re.findall(r"\b(?:LLM_OBSERVE|OTEL)_\w+", CODE))
    for name, text in PAGES.items():
        if not name.startswith(HISTORY):
            for variable in re.findall(r"`(LLM_OBSERVE_\w+)(?:=[^`]*)?`", text):
                assert variable in known, (name, variable)


def test_no_page_names_a_metric_that_is_gone():
    known = {*series_of(TABLE), *(metric.name for metric in TABLE)}
    packages = {"llm_observe_stack"}
    for name, text in PAGES.items():
        for metric in re.findall(r"`(llm_observe_[a-z_]+)(?:\{[^`]*)?`", text):
            assert metric in known | packages, (name, metric)


def test_no_page_lists_a_reason_that_is_gone():
    known = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118 - no dict
    rows = re.findall(r"^\| `([A-Z_]+)` \|", PAGES["docs/errors.md"], re.MULTILINE)
    assert rows
    assert set(rows) <= known


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_redaction_is_explained(kind: str):
    assert f"| `[{kind}]` |" in PAGES["docs/privacy.md"]


def test_every_reason_of_dead_letters_has_a_line_in_the_runbook():
    reasons = {
        value for name, value in vars(dead_letters).items() if name.isupper() and isinstance(value, str)
    }
    for reason in reasons:
        assert f"| `{reason}` |" in PAGES["docs/runbooks.md"], reason


def test_every_variable_that_is_read_without_settings_is_documented():
    """What looks into os.environ by itself has a row in docs/operations.md, too."""
    for path in settings_files():
        for variable in re.findall(r'environ(?:\.get\(|\[)"(\w+)"', path.read_text()):
            assert f"`{variable}`" in PAGES["docs/operations.md"], (path, variable)
