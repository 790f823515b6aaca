"""Manifests rewritten for an older API server."""

from __future__ import annotations

import json

import pytest

from tests.k8s.manifests import OVERLAYS, render
from tests.k8s.older import LATER_FIELDS, VERSIONS, rewrite

GRPC = {"livenessProbe": {"grpc": {"port": 50051}, "periodSeconds": 10}}
SLEEP = {"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}


@pytest.mark.parametrize(
    ("written", "rewritten"),
    [
        (GRPC, {"livenessProbe": {"tcpSocket": {"port": 50051}, "periodSeconds": 10}}),
        (SLEEP, {"lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}}}),
        ({"timeZone": "Etc/UTC", "schedule": "17 2 * * *"}, {"schedule": "17 2 * * *"}),
        ({"ports": [{"name": "grpc"}]}, {"ports": [{"name": "grpc"}]}),
    ],
)
def test_what_is_newer_is_replaced_or_left_out(written, rewritten):
    item = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [written]}}
    assert rewrite(item)["spec"]["containers"] == [rewritten]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_rest_stays(overlay):
    for item in render(overlay).objects:
        older = rewrite(item)
        assert older["apiVersion"] not in VERSIONS
        assert not any(f'"{field}"' in json.dumps(older) for field in LATER_FIELDS)
        assert (older["kind"], older["metadata"]) == (item["kind"], item["metadata"])
        if "grpc" not in json.dumps(item) and item["apiVersion"] == "v1":
            assert older == item
