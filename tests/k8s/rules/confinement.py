"""What pods may do: the Pod Security level `restricted`, and more than it asks."""

from __future__ import annotations

from collections.abc import Iterator

from tests.k8s.manifests import Manifests, Object, Pod

_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
    "secret",
}  # fmt: skip
"""Kinds of volumes that `restricted` allows."""


def pods_pass_restricted(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(field):
                yield f"{pod.where}: {field}"
        for volume in pod.spec.get("volumes", ()):
            for kind in volume.keys() - {"name"} - _VOLUMES:
                yield f"{pod.where}: a volume of kind {kind} is not allowed at level restricted"
        for container in pod.containers:
            yield from (f"{pod.where}: {container['name']}: {text}" for text in _forbidden(pod, container))


def _forbidden(pod: Pod, container: Object) -> Iterator[str]:
    own = container.get("securityContext", {})
    context = {**pod.spec.get("securityContext", {}), **own}
    capabilities = own.get("capabilities", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if capabilities.get("drop") != ["ALL"] or set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "capabilities other than none"
    if context.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if context.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "no seccomp profile"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "hostPort"


def users_are_numbers_and_not_root(manifests: Manifests) -> Iterator[str]:
    """The kubelet refuses to start root with runAsNonRoot, and cannot tell who an image's user name is."""
    for pod in manifests.pods():
        for container in pod.containers:
            context = {**pod.spec.get("securityContext", {}), **container.get("securityContext", {})}
            for field in ("runAsUser", "runAsGroup"):
                if not context.get(field):
                    yield f"{pod.where}: {container['name']}: {field} is root or unknown"


def file_systems_are_read_only(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for container in pod.containers:
            if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
                yield f"{pod.where}: {container['name']}: the root file system can be written"


def pods_have_no_token_and_no_links(manifests: Manifests) -> Iterator[str]:
    """A Service named `server` would set SERVER_PORT=tcp://..., which is no setting of ours."""
    for pod in manifests.pods():
        for field in ("automountServiceAccountToken", "enableServiceLinks"):
            if pod.spec.get(field) is not False:
                yield f"{pod.where}: {field} is not false"


def the_namespace_enforces_restricted(manifests: Manifests) -> Iterator[str]:
    for namespace in manifests.of("Namespace"):
        if namespace["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"Namespace/{namespace['metadata']['name']}: pods are not held to level restricted"


def temporary_files_are_bounded(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        for name, volume in pod.volumes.items():
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{pod.where}: the volume {name} may fill the node's disk"


RULES = (
    pods_pass_restricted,
    users_are_numbers_and_not_root,
    file_systems_are_read_only,
    pods_have_no_token_and_no_links,
    the_namespace_enforces_restricted,
    temporary_files_are_bounded,
)
