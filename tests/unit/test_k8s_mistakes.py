"""Deliberate mistakes in the manifests, each of which a schema or a rule must catch."""

from __future__ import annotations

from functools import cache

import pytest

from tests.k8s import rules, schemas
from tests.k8s.manifests import render
from tests.k8s.mistakes import MISTAKES
from tests.k8s.mistakes.edits import find


@cache
def objections(name: str) -> dict[str, list[str]]:
    """Make a mistake; return what the schema says or, if that is nothing, what each rule says."""
    mistake = MISTAKES[name]
    for overlay in ("production", "minikube"):
        manifests = render(overlay)
        item = find(manifests, mistake)
        if item is not None:
            mistake.change(item)
            by_schema = list(schemas.violations(item))
            # (Rules may trip over what does not fit its schema.)
            return (
                {"schema": by_schema}
                if by_schema
                else {rule.__name__: said for rule in rules.RULES if (said := list(rule(manifests)))}
            )
    raise LookupError(mistake)


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_caught(name):
    said = objections(name)
    assert any(MISTAKES[name].said in text for texts in said.values() for text in texts), said


def test_every_rule_objects_to_something():
    """One that no mistake breaks may be one that never objects."""
    assert {rule.__name__ for rule in rules.RULES} - {
        rule for name in MISTAKES for rule in objections(name)
    } == set()
