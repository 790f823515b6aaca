"""The table of metrics, its page, the dashboard and the alert rules say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from telemetry import metrics
from telemetry.__main__ import render
from telemetry.metrics import TABLE
from tests.unit.test_layout import ROOT, settings_files

SERIES = re.compile(r"(llm_observe_\w+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"by \(([^)]*)\)")
METADATA = {"le", "job", "instance"}
"""Labels that Prometheus adds."""


def series_of(table) -> dict[str, set[str]]:
    """Return the names that Prometheus knows, with their labels."""
    found = {}
    for metric in table:
        endings = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        found.update({f"{metric.name}{ending}": {*metric.labels, *METADATA} for ending in endings})
    return found


def expressions() -> list[str]:
    dashboard = json.loads((ROOT / "deploy/grafana/llm-observe.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return [target["expr"] for target in targets] + [rule["expr"] for rule in rules()]


def rules():
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("expression", expressions())
def test_dashboard_and_rules_ask_for_what_exists(expression):
    known = series_of(TABLE)
    found = SERIES.findall(expression)
    assert found
    for name, matchers in found:
        assert name in known
        for label in re.findall(r"(\w+)\s*[=!]~?", matchers):
            assert label in known[name], label
    labels = set.union(*(known[name] for name, _ in found))
    for group in GROUPING.findall(expression):
        assert {label.strip() for label in group.split(",")} <= labels, group
    assert expression.count("(") == expression.count(")")


def test_the_dashboard_shows_every_metric():
    shown = {name for expression in expressions() for name, _ in SERIES.findall(expression)}
    for metric in TABLE:
        assert any(name.startswith(metric.name) for name in shown), metric.name


def test_panels_do_not_overlap():
    dashboard = json.loads((ROOT / "deploy/grafana/llm-observe.json").read_text())
    taken = set[tuple[int, int]]()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_rule_says_what_to_do():
    page = (ROOT / "docs/observability.md").read_text()
    for rule in rules():
        assert f"`{rule['alert']}`" in page, rule["alert"]
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_the_page_is_fresh():
    assert (ROOT / "docs/metrics.md").read_text() == render(), "run `make docs`"


def test_names_follow_the_conventions_of_prometheus():
    assert len({metric.name for metric in TABLE}) == len(TABLE)
    for metric in TABLE:
        assert re.fullmatch(r"llm_observe_[a-z]+(_[a-z]+)*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.endswith("_seconds") == (metric.unit == "s")
        assert bool(metric.buckets) == (metric.kind == "histogram")
        assert tuple(sorted(metric.buckets)) == metric.buckets
        assert metric.help.endswith(".")


def test_every_metric_is_recorded_somewhere():
    code = "\n".join(path.read_text() for path in settings_files() if path.name != "metrics.py")
    code += (Path(metrics.__file__).parent / "process.py").read_text()
    for name, value in vars(metrics).items():
        if isinstance(value, metrics.Metric):
            assert re.search(rf"\bmetrics\.{name}\b", code), name
