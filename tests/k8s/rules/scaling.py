"""How many pods run: autoscalers, disruptions, and what the stores bear."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tests.k8s.manifests import Manifests, Object, Pod, where

TRIGGERS = {
    "prometheus": (
        {"serverAddress", "query", "threshold"},
        {
            "activationThreshold", "namespace", "customHeaders", "ignoreNullValues", "queryParameters",
            "unsafeSsl", "authModes", "timeout",
        },
    ),
    "redis-streams": (
        {"address", "stream"},
        {
            "consumerGroup", "pendingEntriesCount", "streamLength", "lagCount", "activationLagCount",
            "databaseIndex", "enableTLS", "unsafeSsl", "usernameFromEnv", "passwordFromEnv",
        },
    ),
}  # fmt: skip
"""KEDA's triggers that we use: the required and the optional keys of their metadata, which no schema has."""
_SPARE_CONNECTIONS = 20
"""Of Postgres: three are its own, and people, migrations and backups need some."""


class Scaler(NamedTuple):
    """An autoscaler."""

    item: Object
    target: str
    minimum: int
    maximum: int


def scalers(manifests: Manifests) -> Iterator[Scaler]:
    for item in manifests.of("HorizontalPodAutoscaler"):
        spec = item["spec"]
        yield Scaler(item, spec["scaleTargetRef"]["name"], spec.get("minReplicas", 1), spec["maxReplicas"])
    for item in manifests.of("ScaledObject"):
        spec = item["spec"]
        yield Scaler(
            item,
            spec["scaleTargetRef"]["name"],
            spec.get("minReplicaCount", 0),
            spec.get("maxReplicaCount", 100),
        )


def each_workload_has_one_scaler(manifests: Manifests) -> Iterator[str]:
    for name, count in Counter(scaler.target for scaler in scalers(manifests)).items():
        if count > 1:
            yield f"Deployment/{name}: {count} autoscalers fight over it"
    for scaler in scalers(manifests):
        deployment = manifests.get("Deployment", scaler.target)
        if deployment is None:
            yield f"{where(scaler.item)}: there is no Deployment {scaler.target}"
        elif "replicas" in deployment["spec"]:
            yield f"{where(deployment)}: applying it would undo its autoscaler: it names replicas"
        if not 1 <= scaler.minimum <= scaler.maximum:
            yield f"{where(scaler.item)}: from {scaler.minimum} to {scaler.maximum} replicas"


def what_is_scaled_by_use_requests_it(manifests: Manifests) -> Iterator[str]:
    """Utilization is a share of what is requested: without a request there is none, and nothing happens."""
    for item in manifests.of("HorizontalPodAutoscaler"):
        deployment = manifests.get("Deployment", item["spec"]["scaleTargetRef"]["name"])
        for metric in item["spec"]["metrics"] if deployment else ():
            resource = metric.get("resource", {}).get("name")
            for container in manifests.pod(item["spec"]["scaleTargetRef"]["name"]).spec["containers"]:
                if resource not in container.get("resources", {}).get("requests", {}):
                    yield f"{where(item)}: {container['name']} requests no {resource}"


def triggers_are_such_as_keda_knows(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("ScaledObject"):
        for trigger in item["spec"]["triggers"]:
            if trigger["type"] not in TRIGGERS:
                yield f"{where(item)}: KEDA has no trigger {trigger['type']}"
                continue
            required, optional = TRIGGERS[trigger["type"]]
            for key in required - trigger["metadata"].keys():
                yield f"{where(item)}: {trigger['type']} needs {key}"
            for key in trigger["metadata"].keys() - required - optional:
                yield f"{where(item)}: {trigger['type']} has no {key}"
            name = trigger.get("authenticationRef", {}).get("name")
            if name and manifests.get("TriggerAuthentication", name) is None:
                yield f"{where(item)}: there is no TriggerAuthentication {name}"


def budgets_hold_pods_and_let_nodes_be_drained(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("PodDisruptionBudget"):
        bounds = item["spec"].keys() & {"minAvailable", "maxUnavailable"}
        if len(bounds) != 1:
            yield f"{where(item)}: has {len(bounds)} bounds, and needs one"
        pods = manifests.selected(item["spec"].get("selector"))
        if len(pods) != 1:
            yield f"{where(item)}: selects {len(pods)} workloads"
        for pod in pods if "minAvailable" in bounds else ():
            if item["spec"]["minAvailable"] >= _range(manifests, pod)[0]:
                yield f"{where(item)}: no node with {pod.where} can be drained"
        if item["spec"].get("maxUnavailable") == 0:
            yield f"{where(item)}: no node with its pods can be drained"
    for scaler in scalers(manifests):
        if manifests.get("PodDisruptionBudget", scaler.target) is None:
            yield f"Deployment/{scaler.target}: has no PodDisruptionBudget"


def _range(manifests: Manifests, pod: Pod) -> tuple[int, int]:
    """Fewest and most replicas."""
    for scaler in scalers(manifests):
        if scaler.target == pod.workload["metadata"]["name"]:
            return scaler.minimum, scaler.maximum
    replicas = pod.workload["spec"].get("replicas", 1)
    return replicas, replicas


def postgres_has_connections_for_all(manifests: Manifests) -> Iterator[str]:
    needed = _SPARE_CONNECTIONS
    for name, pools in (("server", 2), ("worker", 1), ("scheduler", 1)):
        pod = manifests.pod(name)
        size = int(manifests.environment(pod.spec["containers"][0]).get("LLM_OBSERVE_DB_POOL_SIZE", 8))
        needed += _range(manifests, pod)[1] * pools * size
    postgres = manifests.get("StatefulSet", "postgres")
    if postgres is not None:
        arguments = " ".join(postgres["spec"]["template"]["spec"]["containers"][0]["args"])
        (allowed,) = re.findall(r"max_connections=(\d+)", arguments)
        if needed > int(allowed):
            yield f"StatefulSet/postgres: allows {allowed} connections, and pods may open {needed}"


RULES = (
    each_workload_has_one_scaler,
    what_is_scaled_by_use_requests_it,
    triggers_are_such_as_keda_knows,
    budgets_hold_pods_and_let_nodes_be_drained,
    postgres_has_connections_for_all,
)
