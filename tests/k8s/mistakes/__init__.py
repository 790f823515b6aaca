"""Deliberate mistakes in the manifests, each of which a schema or a rule must catch."""

from __future__ import annotations

from tests.k8s.mistakes import cluster, objects, pods

MISTAKES = objects.MISTAKES | pods.MISTAKES | cluster.MISTAKES
