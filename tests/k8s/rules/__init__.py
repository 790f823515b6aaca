"""What no schema sees. A rule takes the manifests of an overlay and yields what is wrong in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.k8s.manifests import Manifests
from tests.k8s.rules import confinement, containers, network, references, scaling, settings

Rule = Callable[[Manifests], Iterator[str]]
RULES: tuple[Rule, ...] = (
    *confinement.RULES, *containers.RULES, *network.RULES, *references.RULES, *scaling.RULES, *settings.RULES,
)  # fmt: skip
