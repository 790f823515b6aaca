"""Names that stand for something: it exists, and is what it is taken for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tests.k8s.manifests import Manifests, Object, Pod, matches, where

SECRETS = {
    "llm-observe": {
        "postgres-password", "valkey-password", "ui-api-key", "openai-api-key", "anthropic-api-key",
        "gemini-api-key", "smtp-password", "aws-access-key-id", "aws-secret-access-key",
    },
    "llm-observe-tls": {"tls.crt", "tls.key"},
}  # fmt: skip
"""What an installation provides beside the manifests, with keys."""
REQUIRED_KEYS = {"postgres-password", "valkey-password"}
_CLUSTER_WIDE = {"Namespace"}


def names_are_valid_and_unique(manifests: Manifests) -> Iterator[str]:
    for item in manifests.objects:
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", str(item["metadata"].get("name"))):
            yield f"{where(item)}: no valid name"
    for name, count in Counter(map(where, manifests.objects)).items():
        if count > 1:
            yield f"{name}: stands there {count} times"


def everything_is_in_the_namespace(manifests: Manifests) -> Iterator[str]:
    (namespace,) = (item["metadata"]["name"] for item in manifests.of("Namespace"))
    for item in manifests.objects:
        if item["kind"] not in _CLUSTER_WIDE and item["metadata"].get("namespace") != namespace:
            yield f"{where(item)}: is not in the namespace {namespace}"


def selectors_select_their_own_pods(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        selector = pod.workload["spec"].get("selector")
        if selector is not None and not matches(selector, pod.labels):
            yield f"{pod.where}: its selector does not select its pods"
        if selector is not None and len(manifests.selected(selector)) > 1:
            yield f"{pod.where}: its selector selects pods of others"
        for spread in pod.spec.get("topologySpreadConstraints", ()):
            if not matches(spread["labelSelector"], pod.labels):
                yield f"{pod.where}: is spread by labels that its pods do not have"


def services_lead_to_pods(manifests: Manifests) -> Iterator[str]:
    for service in manifests.of("Service"):
        pods = manifests.selected({"matchLabels": service["spec"].get("selector", {})})
        if len(pods) != 1:
            yield f"{where(service)}: selects {len(pods)} workloads"
        for port in service["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            if not all(target in {*pod.ports(), *pod.ports().values()} for pod in pods):
                yield f"{where(service)}: its port {target} is none of the pods'"
    for item in manifests.of("StatefulSet"):
        service_or_none = manifests.get("Service", item["spec"]["serviceName"])
        if service_or_none is None or service_or_none["spec"].get("clusterIP") != "None":
            yield f"{where(item)}: has no headless Service {item['spec']['serviceName']}"


def volumes_are_mounted_and_mounts_have_volumes(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        mounted = set()
        for container in pod.containers:
            mounts = container.get("volumeMounts", ())
            mounted |= {mount["name"] for mount in mounts}
            for path, count in Counter(mount["mountPath"] for mount in mounts).items():
                if count > 1:
                    yield f"{pod.where}: {container['name']}: two volumes at {path}"
        for name in mounted - pod.volumes.keys():
            yield f"{pod.where}: there is no volume {name} to mount"
        for name in pod.volumes.keys() - mounted:
            yield f"{pod.where}: the volume {name} is not mounted"


def what_pods_refer_to_exists(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        account = pod.spec.get("serviceAccountName")
        if account and manifests.get("ServiceAccount", account) is None:
            yield f"{pod.where}: there is no ServiceAccount {account}"
        for volume in pod.volumes.values():
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and manifests.get("PersistentVolumeClaim", claim) is None:
                yield f"{pod.where}: there is no PersistentVolumeClaim {claim}"
        yield from (f"{pod.where}: {text}" for text in _unknown_sources(manifests, pod))


def _unknown_sources(manifests: Manifests, pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        for source in container.get("envFrom", ()):
            yield from _unknown_setting(manifests, source.get("configMapRef", {}), None)
        for entry in container.get("env", ()):
            origin = entry.get("valueFrom", {})
            if "configMapKeyRef" in origin:
                yield from _unknown_setting(
                    manifests, origin["configMapKeyRef"], origin["configMapKeyRef"]["key"]
                )
            if "secretKeyRef" in origin:
                yield from _unknown_secret(origin["secretKeyRef"]["name"], [origin["secretKeyRef"]])
    for volume in pod.volumes.values():
        if "secret" in volume:
            yield from _unknown_secret(volume["secret"]["secretName"], volume["secret"].get("items", ()))


def _unknown_setting(manifests: Manifests, reference: Object, key: str | None) -> Iterator[str]:
    found = manifests.get("ConfigMap", reference.get("name", ""))
    if found is None:
        yield f"there is no ConfigMap {reference.get('name')}"
    elif key is not None and key not in found["data"]:
        yield f"the ConfigMap {reference['name']} has no {key}"


def _unknown_secret(name: str, references: object) -> Iterator[str]:
    if name not in SECRETS:
        yield f"nobody makes the Secret {name}"
        return
    for reference in references if isinstance(references, list) else ():
        key = reference["key"]
        if key not in SECRETS[name]:
            yield f"nobody puts {key} into the Secret {name}"
        elif key not in REQUIRED_KEYS and not reference.get("optional"):
            yield f"{key} may be absent from the Secret {name}, but is not optional here"


RULES = (
    names_are_valid_and_unique,
    everything_is_in_the_namespace,
    selectors_select_their_own_pods,
    services_lead_to_pods,
    volumes_are_mounted_and_mounts_have_volumes,
    what_pods_refer_to_exists,
)
