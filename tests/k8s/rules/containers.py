"""How containers are made: images, resources, environment, probes, and how they end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tests.k8s.manifests import Manifests, Object, Pod
from tests.k8s.rules.quantities import quantity

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_HANDLERS = {"exec", "grpc", "httpGet", "tcpSocket"}
_GRACE = {"server": "LLM_OBSERVE_SERVER_GRACE_S", "worker": "LLM_OBSERVE_WORKER_GRACE_S"}
_CLOSING_S = 10.0
"""What a process may need after its grace period to close everything, in seconds."""
_LOCAL = re.compile(r"llm-observe-(?:server|app):local")


def images_are_pinned(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for container in pod.containers:
            image = container["image"]
            tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
            if "@sha256:" not in image and tag in {"", "latest", "local"} and not _LOCAL.fullmatch(image):
                yield f"{pod.where}: the image {image} has neither digest nor tag"


def resources_are_requested_and_limited(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for container in pod.containers:
            place = f"{pod.where}: {container['name']}"
            resources = container.get("resources", {})
            requests, limits = resources.get("requests", {}), resources.get("limits", {})
            for name in {"cpu", "memory"} - requests.keys():
                yield f"{place}: no {name} is requested"
            if "memory" not in limits:
                yield f"{place}: memory is not limited"
            for name in requests.keys() & limits.keys():
                if (quantity(limits[name]) or 0) < (quantity(requests[name]) or 0):
                    yield f"{place}: the limit of {name} is below what is requested"


def quantities_can_be_read(manifests: Manifests) -> Iterator[str]:
    for item in manifests.objects:
        for name, value in _amounts(item):
            if quantity(value) is None:
                yield f"{item['kind']}/{item['metadata']['name']}: {name}: {value} is no quantity"


def _amounts(node: object, inside: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(node, list):
        for inner in node:
            yield from _amounts(inner, inside)
    elif isinstance(node, dict):
        for key, value in node.items():
            if (inside in {"requests", "limits"} or key == "sizeLimit") and not isinstance(value, dict):
                yield key, value
            else:
                yield from _amounts(value, key)


def variables_are_set_once_and_known(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for container in pod.containers:
            place = f"{pod.where}: {container['name']}"
            before: set[str] = set()
            for entry in container.get("env", ()):
                if entry["name"] in before:
                    yield f"{place}: {entry['name']} is set twice"
                for name in set(re.findall(r"\$\(([A-Za-z_]\w*)\)", str(entry.get("value", "")))) - before:
                    yield f"{place}: {entry['name']} refers to {name}, which is not set before it"
                before.add(entry["name"])


def what_runs_is_probed(manifests: Manifests) -> Iterator[str]:
    """Liveness is more patient than readiness: a pod that is slow gets no calls, and is not restarted."""
    for pod in manifests.pods():
        served = any(
            service["spec"]["selector"].items() <= pod.labels.items() for service in manifests.of("Service")
        )
        for container in pod.spec["containers"]:
            place = f"{pod.where}: {container['name']}"
            needed = ("livenessProbe", *(("readinessProbe",) if served else ())) if pod.runs_on else ()
            for name in needed:
                if name not in container:
                    yield f"{place}: no {name}"
            yield from (f"{place}: {text}" for text in _wrong_probes(container))


def _wrong_probes(container: Object) -> Iterator[str]:
    ports = {port.get("name") for port in container.get("ports", ())}
    ports |= {port["containerPort"] for port in container.get("ports", ())}
    for name in _PROBES:
        probe = container.get(name, {})
        handlers = probe.keys() & _HANDLERS
        if probe and len(handlers) != 1:
            yield f"{name} needs one handler and has {len(handlers)}"
        for handler in handlers - {"exec"}:
            if probe[handler].get("port") not in ports:
                yield f"{name} asks port {probe[handler].get('port')}, which the container does not have"
    if "livenessProbe" in container and "readinessProbe" in container:
        live, ready = (_patience_s(container[name]) for name in ("livenessProbe", "readinessProbe"))
        if live <= ready:
            yield f"liveness fails after {live} s, readiness only after {ready} s"


def _patience_s(probe: Object) -> int:
    return int(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3))


def names_of_containers_and_ports_are_valid(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        names = Counter(container["name"] for container in pod.containers)
        names += Counter(
            port["name"]
            for container in pod.containers
            for port in container.get("ports", ())
            if "name" in port
        )
        for name in names:
            if names[name] > 1 and name not in {container["name"] for container in pod.containers}:
                yield f"{pod.where}: two ports are named {name}"
        for name, number in pod.ports().items():
            if len(name) > 15 or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
                yield f"{pod.where}: {name} is no name of a port"
            if not 0 < number < 65536:
                yield f"{pod.where}: {number} is no port"


def restart_policies_fit(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        policy = pod.spec.get("restartPolicy", "Always")
        if (policy == "Always") != pod.runs_on:
            yield f"{pod.where}: restartPolicy {policy}"


def pods_may_finish_what_they_do(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for container in pod.spec["containers"]:
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            grace = _GRACE.get(container["name"])
            needed = pause + (_CLOSING_S + _own_grace_s(manifests, container, grace) if grace else 0)
            if pod.spec.get("terminationGracePeriodSeconds", 30) < needed:
                yield f"{pod.where}: is killed before the {needed:g} s that stopping may take"
            if _serves_calls(manifests, pod) and not pause:
                yield f"{pod.where}: stops before callers know of it: no preStop"


def _own_grace_s(manifests: Manifests, container: Object, variable: str) -> float:
    text = manifests.environment(container).get(variable, "")
    return float(text) if re.fullmatch(r"[0-9.]+", text) else 0.0


def _serves_calls(manifests: Manifests, pod: Pod) -> bool:
    return pod.kind == "Deployment" and any(
        service["spec"]["selector"].items() <= pod.labels.items() for service in manifests.of("Service")
    )


RULES = (
    images_are_pinned,
    resources_are_requested_and_limited,
    quantities_can_be_read,
    variables_are_set_once_and_known,
    what_runs_is_probed,
    names_of_containers_and_ports_are_valid,
    restart_policies_fit,
    pods_may_finish_what_they_do,
)
