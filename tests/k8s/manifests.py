"""Rendered manifests, and what rules ask of them."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

ROOT = Path(__file__).parent.parent.parent
OVERLAYS = tuple(sorted(path.name for path in (ROOT / "k8s/overlays").iterdir()))
KUBECTL = Path(sys.executable).parent / "kubectl"

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object, or a part of one, as YAML gives it."""

_TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True)
class Pod:
    """The pods of one workload."""

    workload: Object
    labels: Mapping[str, str]
    spec: Object

    @property
    def kind(self) -> str:
        return str(self.workload["kind"])

    @property
    def where(self) -> str:
        """Name of the workload, as in messages of kubectl."""
        return where(self.workload)

    @property
    def runs_on(self) -> bool:
        """Whether it is to run until it is stopped."""
        return self.kind in {"Deployment", "StatefulSet"}

    @property
    def containers(self) -> list[Object]:
        """Those that run once at the start included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def volumes(self) -> dict[str, Object]:
        """By name; those that a StatefulSet claims have no source here."""
        claimed = self.workload["spec"].get("volumeClaimTemplates", ())
        return {
            **{volume["name"]: volume for volume in self.spec.get("volumes", ())},
            **{claim["metadata"]["name"]: {} for claim in claimed},
        }

    def ports(self) -> dict[str, int]:
        """Every port that a container declares, by name."""
        return {
            str(port.get("name", port["containerPort"])): port["containerPort"]
            for container in self.containers
            for port in container.get("ports", ())
        }


class Manifests:
    """The objects of one overlay."""

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects

    def of(self, *kinds: str) -> list[Object]:
        return [item for item in self.objects if item["kind"] in kinds]

    def get(self, kind: str, name: str) -> Object | None:
        return next((item for item in self.of(kind) if item["metadata"]["name"] == name), None)

    def pods(self) -> Iterator[Pod]:
        for item in self.objects:
            if item["kind"] in _TEMPLATES:
                template = item
                for key in _TEMPLATES[item["kind"]]:
                    template = template[key]
                yield Pod(item, template["metadata"].get("labels", {}), template["spec"])

    def pod(self, name: str) -> Pod:
        return next(pod for pod in self.pods() if pod.workload["metadata"]["name"] == name)

    def selected(self, selector: Object | None) -> list[Pod]:
        """The pods of this namespace that a label selector selects; an empty one selects all."""
        return [pod for pod in self.pods() if matches(selector or {}, pod.labels)]

    def environment(self, container: Object) -> dict[str, str]:
        """What a container finds in its environment; what is in a Secret is the word `secret`."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            settings = self.get("ConfigMap", source["configMapRef"]["name"]) or {}
            found |= settings.get("data", {})
        for entry in container.get("env", ()):
            value = str(entry.get("value", "secret"))
            for name, earlier in found.items():
                value = value.replace(f"$({name})", earlier)
            found[entry["name"]] = value
        return found


def where(item: Object) -> str:
    return f"{item['kind']}/{item['metadata'].get('name')}"


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector, with labels or expressions, selects these labels."""
    wanted = selector.get("matchLabels", {}).items()
    expressions = selector.get("matchExpressions", ())
    return wanted <= labels.items() and all(_holds(expression, labels) for expression in expressions)


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    value, operator = labels.get(expression["key"]), expression["operator"]
    return {
        "In": value in expression.get("values", ()),
        "NotIn": value not in expression.get("values", ()),
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[operator]


@cache
def _rendered(folder: Path) -> list[Object]:
    done = subprocess.run(
        [KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def render(overlay: str) -> Manifests:
    """Return what `kubectl apply -k` would send, to be changed at will."""
    return Manifests(copy.deepcopy(_rendered(ROOT / "k8s/overlays" / overlay)))
