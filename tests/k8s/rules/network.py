"""Who reaches whom: policies, and the ways in from outside."""

from __future__ import annotations

from collections.abc import Iterator

from server.otlp.http import PATHS as OTLP_PATHS
from tests.k8s.manifests import Manifests, Object, where

_PATH_TYPES = {"Exact", "Prefix", "ImplementationSpecific"}
_STREAM_TIMEOUT = "3600"
_STREAMLESS = {"otlp-http", 4318}
"""Ports of a Service whose requests are answered at once."""
_NGINX = "nginx.ingress.kubernetes.io"
CALLS = {
    ("server", "postgres"), ("server", "valkey"), ("worker", "postgres"), ("worker", "valkey"),
    ("scheduler", "postgres"), ("scheduler", "valkey"), ("migrate", "postgres"), ("backup", "postgres"),
    ("app", "server"),
}  # fmt: skip
"""Which of our pods call which, all that is needed and all that is allowed."""


def everything_is_denied_first(manifests: Manifests) -> Iterator[str]:
    policies = manifests.of("NetworkPolicy")
    if not any(
        policy["spec"]["podSelector"] == {}
        and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not policy["spec"].keys() & {"ingress", "egress"}
        for policy in policies
    ):
        yield "no NetworkPolicy denies everything"
    for policy in policies:
        types, selector = set(policy["spec"]["policyTypes"]), policy["spec"]["podSelector"]
        named = {key.capitalize() for key in ("ingress", "egress") if key in policy["spec"]}
        if not named <= types:
            yield f"{where(policy)}: policyTypes does not name {', '.join(sorted(named - types))}"
        if not manifests.selected(selector):
            yield f"{where(policy)}: selects no pod"


def policies_name_ports_that_exist(manifests: Manifests) -> Iterator[str]:
    for policy in manifests.of("NetworkPolicy"):
        own = manifests.selected(policy["spec"]["podSelector"])
        for rule in policy["spec"].get("ingress", ()):
            for port in rule.get("ports", ()):
                if not all(port["port"] in {*pod.ports(), *pod.ports().values()} for pod in own):
                    yield f"{where(policy)}: its pods have no port {port['port']}"
        for rule in policy["spec"].get("egress", ()):
            for peer in rule.get("to", ()):
                for pod in manifests.selected(peer["podSelector"]) if "podSelector" in peer else ():
                    if not all(
                        port["port"] in {*pod.ports(), *pod.ports().values()} for port in rule["ports"]
                    ):
                        yield f"{where(policy)}: {pod.where} has no such port"


def pods_reach_those_they_need_and_no_others(manifests: Manifests) -> Iterator[str]:
    """A call needs two policies: that its sender may go out, and that its receiver lets it in."""
    names = {pod.workload["metadata"]["name"] for pod in manifests.pods()}
    needed = {call for call in CALLS if set(call) <= names}
    for direction, allowed in (
        ("out", _allowed(manifests, "egress")),
        ("in", _allowed(manifests, "ingress")),
    ):
        for sender, receiver in sorted(needed - allowed):
            yield f"{sender} does not reach {receiver}: no policy lets it {direction}"
        for sender, receiver in sorted(allowed - needed):
            yield f"{sender} is let {direction} to {receiver}, which it does not need"


def _allowed(manifests: Manifests, direction: str) -> set[tuple[str, str]]:
    peers_at = {"egress": "to", "ingress": "from"}[direction]
    found = set()
    for policy in manifests.of("NetworkPolicy"):
        for rule in policy["spec"].get(direction, ()):
            for peer in rule.get(peers_at, ()):
                if "podSelector" not in peer or "namespaceSelector" in peer:
                    continue
                for pod in manifests.selected(policy["spec"]["podSelector"]):
                    for other in manifests.selected(peer["podSelector"]):
                        pair = pod.workload["metadata"]["name"], other.workload["metadata"]["name"]
                        found.add(pair if direction == "egress" else pair[::-1])
    return found


def ways_in_lead_to_services(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("GRPCRoute", "HTTPRoute", "Ingress"):
        for name, port in _backends(item):
            service = manifests.get("Service", name)
            if service is None:
                yield f"{where(item)}: there is no Service {name}"
            elif not any(port in {entry["port"], entry.get("name")} for entry in service["spec"]["ports"]):
                yield f"{where(item)}: the Service {name} has no port {port}"


def _backends(item: Object) -> Iterator[tuple[str, object]]:
    """Yield Service and port of each backend of a way in."""
    for rule in item["spec"]["rules"]:
        for path in rule.get("http", {}).get("paths", ()):
            service = path["backend"]["service"]
            yield service["name"], next(iter(service["port"].values()))
        yield from ((backend["name"], backend["port"]) for backend in rule.get("backendRefs", ()))


def routes_belong_to_a_listener(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("GRPCRoute", "HTTPRoute"):
        for parent in item["spec"]["parentRefs"]:
            gateway = manifests.get("Gateway", parent["name"])
            listeners = gateway["spec"]["listeners"] if gateway else ()
            listener = next((each for each in listeners if each["name"] == parent.get("sectionName")), None)
            if listener is None:
                yield f"{where(item)}: {parent['name']} has no listener {parent.get('sectionName')}"
            elif listener["hostname"] not in item["spec"]["hostnames"]:
                yield f"{where(item)}: its host is not that of its listener"


def ways_in_hold_streams(manifests: Manifests) -> Iterator[str]:
    with_streams = [
        item
        for item in manifests.of("Ingress", "HTTPRoute")
        if any(port not in _STREAMLESS for _, port in _backends(item))
    ]
    for item in with_streams:
        if item["kind"] == "Ingress":
            for name in ("proxy-read-timeout", "proxy-send-timeout"):
                if item["metadata"]["annotations"].get(f"{_NGINX}/{name}") != _STREAM_TIMEOUT:
                    yield f"{where(item)}: {name} cuts streams before {_STREAM_TIMEOUT} s"
            continue
        for rule in item["spec"]["rules"]:
            if set(rule.get("timeouts", {}).values()) != {f"{_STREAM_TIMEOUT}s"}:
                yield f"{where(item)}: websockets are cut before {_STREAM_TIMEOUT} s"


def ways_in_encrypt(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("Ingress"):
        hosts = {rule["host"] for rule in item["spec"]["rules"]}
        if hosts != {host for entry in item["spec"].get("tls", ()) for host in entry["hosts"]}:
            yield f"{where(item)}: TLS is not for {', '.join(sorted(hosts))}"
    for item in manifests.of("Gateway"):
        for listener in item["spec"]["listeners"]:
            if listener["protocol"] != "HTTPS":
                yield f"{where(item)}: the listener {listener['name']} does not encrypt"


def ingresses_speak_the_protocol_of_their_backend(manifests: Manifests) -> Iterator[str]:
    for item in manifests.of("Ingress"):
        is_grpc = item["metadata"]["annotations"].get(f"{_NGINX}/backend-protocol") == "GRPC"
        for path in (path for rule in item["spec"]["rules"] for path in rule["http"]["paths"]):
            if path["pathType"] not in _PATH_TYPES:
                yield f"{where(item)}: pathType {path['pathType']}"
            if is_grpc != (path["backend"]["service"]["port"].get("name") == "grpc"):
                yield f"{where(item)}: the protocol of its backend is wrong"


def _otlp_paths(manifests: Manifests) -> Iterator[tuple[str, object]]:
    """Yield each path that leads to the port of OTLP over HTTP, and how it is compared."""
    for item in manifests.of("HTTPRoute", "Ingress"):
        if not all(port in _STREAMLESS for _, port in _backends(item)):
            continue
        for rule in item["spec"]["rules"]:
            yield from ((match["path"]["value"], match["path"]["type"]) for match in rule.get("matches", ()))
            yield from ((path["path"], path["pathType"]) for path in rule.get("http", {}).get("paths", ()))


def otlp_has_a_way_in_and_opens_nothing_else(manifests: Manifests) -> Iterator[str]:
    found = set(_otlp_paths(manifests))
    for path in sorted(OTLP_PATHS - {path for path, _ in found}):
        yield f"no way in leads to {path}"
    for path, how in sorted(found, key=str):
        if path not in OTLP_PATHS or how != "Exact":
            yield f"{path} ({how}) leads to the port of OTLP, which answers nothing there"


RULES = (
    everything_is_denied_first,
    policies_name_ports_that_exist,
    pods_reach_those_they_need_and_no_others,
    ways_in_lead_to_services,
    routes_belong_to_a_listener,
    ways_in_hold_streams,
    ways_in_encrypt,
    ingresses_speak_the_protocol_of_their_backend,
    otlp_has_a_way_in_and_opens_nothing_else,
)
