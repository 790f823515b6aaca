"""A mistake, and the edits that make one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.k8s.manifests import Manifests, Object


class Mistake(NamedTuple):
    """One change of one object, and what is said of it."""

    kind: str
    name: str
    change: Callable[[Object], object]
    said: str


def find(manifests: Manifests, mistake: Mistake) -> Object | None:
    """Return the object that a mistake changes; a generated name ends in a hash."""
    for item in manifests.of(mistake.kind):
        name = item["metadata"]["name"]
        if name == mistake.name or (mistake.kind == "ConfigMap" and name.startswith(f"{mistake.name}-")):
            return item
    return None


def container(item: Object) -> Object:
    found: Object = pod(item)["containers"][0]
    return found


def pod(item: Object) -> Object:
    found: Object = item["spec"]["template"]["spec"]
    return found


def trigger(item: Object, at: int = 0) -> Object:
    found: Object = item["spec"]["triggers"][at]
    return found


def edit(part: Object, **fields: object) -> Object:
    part.update(fields)
    return part


def drop(part: Object, field: str) -> object:
    return part.pop(field)


DEPLOYMENT, HPA, PDB = "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget"
