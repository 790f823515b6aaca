"""National ids are redacted if asked for, and only with valid check digits."""

from __future__ import annotations

import random

import pytest
from llm_observe._redaction.national_ids import _ALL  # the kinds with their checks
from llm_observe.redaction import NATIONAL_KINDS, Redactor

SHAPES = {
    "ID_BR": "###.###.###-##", "ID_CA": "### ### ###", "ID_CN": "######1990########",
    "ID_FR": "1 ## ## ## ### ### ##",
    "ID_IN": "3### #### ####", "ID_PL": "###########", "ID_UK": "### ### ####",
}  # fmt: skip
VALID = {each.kind: each.is_valid for each in _ALL}


def draw(kind: str, *, valid: bool) -> str:
    chance = random.Random(kind)
    while True:
        shown = "".join(chance.choice("123456789") if char == "#" else char for char in SHAPES[kind])
        if VALID[kind](shown.translate(dict.fromkeys(map(ord, " .-")))) is valid:
            return shown


def test_every_kind_is_known():
    assert set(VALID) == NATIONAL_KINDS == set(SHAPES)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("template", ["{}", "a,{},b", "号码{}。", "({})", '{{"id": "{}"}}', "1 and {}; 2"])
def test_a_kind_that_is_enabled_is_redacted(kind, template):
    redactor = Redactor(enabled_kinds=[kind])
    assert redactor.redact(template.format(draw(kind, valid=True))) == template.format(f"[{kind}]")


@pytest.mark.parametrize("kind", sorted(NATIONAL_KINDS - {"ID_UK"}))
def test_check_digits_must_be_right(kind):
    assert kind not in Redactor(enabled_kinds=[kind]).redact(draw(kind, valid=False))


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="unknown kinds: EMAIL"):
        Redactor(enabled_kinds=["EMAIL"])
