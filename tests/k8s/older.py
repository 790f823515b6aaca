"""Rewrites manifests for an API server of Kubernetes 1.20, as a filter: `python -m tests.k8s.older`.

It can be built from Debian's sources, which makes a real cluster of one node possible where no other can be
had. What it cannot know is replaced by what it knows, or left out; everything else is as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import yaml

from tests.k8s.manifests import Object

VERSIONS = {"autoscaling/v2": "autoscaling/v2beta2", "policy/v1": "policy/v1beta1"}
LATER_FIELDS = {
    "persistentVolumeClaimRetentionPolicy": "1.23",
    "timeZone": "1.24",
    "unhealthyPodEvictionPolicy": "1.26",
}
"""With the version that brought them."""
LATER_HANDLERS: dict[str, tuple[str, str, Callable[[Object], Object]]] = {
    "grpc": ("port", "tcpSocket", lambda probe: {"port": probe["port"]}),
    "sleep": ("seconds", "exec", lambda hook: {"command": ["sleep", str(hook["seconds"])]}),
}
"""A field that only such a handler has, and what stands for it: TCP for gRPC, a program for a pause."""


def rewrite(item: Object) -> Object:
    """Return the object as 1.20 takes it."""
    version = VERSIONS.get(item["apiVersion"], item["apiVersion"])
    if item["kind"] == "CronJob":
        version = "batch/v1beta1"
    return {**_mapping(item), "apiVersion": version}


def _mapping(part: Object) -> Object:
    rewritten: Object = {}
    for name, value in part.items():
        field, handler, replace = LATER_HANDLERS.get(name, ("", "", None))
        if replace is not None and isinstance(value, dict) and field in value:
            rewritten[handler] = replace(value)
        elif name not in LATER_FIELDS:
            rewritten[name] = _rewrite_part(value)
    return rewritten


def _rewrite_part(part: object) -> object:
    if isinstance(part, list):
        return [_rewrite_part(each) for each in part]
    return _mapping(part) if isinstance(part, dict) else part


def rewrite_all(items: Iterable[Object]) -> list[Object]:
    return [rewrite(item) for item in items if item]


if __name__ == "__main__":
    yaml.safe_dump_all(rewrite_all(yaml.safe_load_all(sys.stdin)), sys.stdout)
