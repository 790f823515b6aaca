"""Asks the code of Kubernetes' Pod Security admission about the pods of each overlay, and about mistakes.

Run as `python -m tests.k8s.admission PROGRAM`, built of pod_security/main.go (`go mod init`, `go mod tidy`,
`go build`). Every pod must be admitted at level restricted, every mistake about it refused.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from tests.k8s.manifests import OVERLAYS, Manifests, Pod, render
from tests.k8s.mistakes import MISTAKES
from tests.k8s.mistakes.edits import find

FORBIDDEN = {
    "root with runAsNonRoot",
    "may be root",
    "no seccomp profile",
    "privileges grow",
    "a capability",
    "a folder of the node",
    "the node's network",
}
"""The mistakes that the level forbids."""


def changed_pods() -> Iterator[tuple[str, Pod]]:
    """Yield every mistake in a workload, and the pods that it makes."""
    for name, mistake in MISTAKES.items():
        found = (find(render(overlay), mistake) for overlay in OVERLAYS)
        item = next(item for item in found if item is not None)
        mistake.change(item)
        yield from ((name, pod) for pod in Manifests([item]).pods())


def ask(program: str, pods: list[tuple[str, Pod]]) -> list[str]:
    lines = [
        json.dumps({"name": name, "metadata": {"labels": dict(pod.labels)}, "spec": pod.spec})
        for name, pod in pods
    ]
    done = subprocess.run(
        [program], input="\n".join(lines), capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def main(program: str) -> None:
    ours = [(f"{overlay}: {pod.where}", pod) for overlay in OVERLAYS for pod in render(overlay).pods()]
    answers = ask(program, ours)
    print("\n".join(answers))
    assert answers == [f"allowed: {name}" for name, _ in ours]
    refused = [line for line in ask(program, list(changed_pods())) if line.startswith("refused: ")]
    print("\n".join(refused))
    assert {line.split(": ")[1] for line in refused} >= FORBIDDEN


if __name__ == "__main__":
    main(sys.argv[1])
