"""A mistake, and the edits that make one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.k8s.manifests import Object


class Mistake(NamedTuple):
    """One change of one object, and what is said of it."""

    kind: str
    name: str
    change: Callable[[Object], object]
    said: str


def container(item: Object) -> Object:
    return pod(item)["containers"][0]


def pod(item: Object) -> Object:
    return item["spec"]["template"]["spec"]


def trigger(item: Object, at: int = 0) -> Object:
    return item["spec"]["triggers"][at]


def edit(part: Object, **fields: object) -> Object:
    part.update(fields)
    return part


def drop(part: Object, field: str) -> object:
    return part.pop(field)


DEPLOYMENT, HPA, PDB = "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget"
