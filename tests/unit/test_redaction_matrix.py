"""Every kind of secret disappears in every surrounding, and no text with one passes the worker's screen."""

from __future__ import annotations

import random

import pytest
from llm_observe._redaction.prefixes import ALL as ALL_PREFIXES
from llm_observe._redaction.prefixes import ONLY_EXACT
from llm_observe.redaction import Redactor

from tests.support.redaction.chance import Chance
from tests.support.redaction.contexts import CONTEXTS
from tests.support.redaction.kinds import KEYS, KINDS, NAMED, PERSONAL, SHAPED, draw
from tests.support.redaction.matrix import cases, leaks, survives
from tests.support.redaction.negatives import negatives
from tests.support.screen import count_suspects, plain, wrongly_left_out

REDACTOR = Redactor()
GROUPS = {"personal": PERSONAL, "shaped": SHAPED, "named": NAMED, "keys": KEYS}
PROSE = (
    "The customer asks when the order will arrive", "请用两句话总结下面的工单",
    "Краткое содержание обращения",
    "und danach nichts mehr", "def add(a, b):\n    return a + b", "| a | b |",
    "it went on like this (as ever)", "Größe und Maß", "", "on the 3rd of May", "…",
)  # fmt: skip
JOINTS = (" ", ", ", "\n", "\t", " | ", "; ", " \u2013 ", "。")
MIN_VISIBLE = 12
"""Characters of a key behind its prefix that give it away when the rest is cut off."""


def test_the_matrix_is_full():
    assert {(case.kind, case.context) for case in cases(0)} == {
        (kind, context) for kind in KINDS for context in CONTEXTS
    }


@pytest.mark.parametrize("group", GROUPS)
def test_every_kind_disappears_in_every_context(group):
    missed = [case for case in cases(1, list(GROUPS[group])) if leaks(case, REDACTOR.redact)]
    assert [(case.kind, case.context) for case in missed] == []


def test_a_text_with_a_secret_is_never_plain():
    assert [(case.kind, case.context) for case in cases(2) if plain(case.text, 4_000)] == []


def test_no_detector_that_finds_something_is_left_out():
    counts = []
    for case in cases(5):
        assert wrongly_left_out(case.text) == [], (case.kind, case.context)
        counts.append(count_suspects(case.text))
    assert sum(counts) < 3 * len(counts)  # or the screen would be of little use


@pytest.mark.parametrize("kind", [*SHAPED, *list(KEYS)[::9], *NAMED])
def test_a_secret_behind_or_before_another_disappears(kind):
    for other in ("ipv4", "ssn", "email", "ghp_", "JWT", "password", "URL password"):
        for joint in (" ", ",", "\n", "\t", " | "):
            chance = Chance(f"{kind} {other} {joint}")
            first, second = draw(kind, chance), draw(other, chance)
            for text in (f"{first.text}{joint}{second.text}", f"{second.text}{joint}{first.text}"):
                shown = REDACTOR.redact(text)
                assert not survives(first.secret, shown), (other, joint)
                assert not survives(second.secret, shown, digits=other in PERSONAL), (other, joint)


@pytest.mark.parametrize("kind", [*PERSONAL])
def test_a_number_beside_another_disappears(kind):
    for other in PERSONAL:
        for joint in (",", ";", "\t", "\n", " | ", ", ", " and "):
            chance = Chance(f"{kind} {other} {joint}")
            first, second = draw(kind, chance), draw(other, chance)
            shown = REDACTOR.redact(f"{first.text}{joint}{second.text}")
            assert not survives(first.secret, shown, digits=True), (other, joint, first, second)
            assert not survives(second.secret, shown, digits=True), (other, joint, first, second)


@pytest.mark.parametrize("kind", [kind for kind in list(KEYS)[::5] if kind not in ONLY_EXACT])
def test_a_key_that_was_cut_anywhere_disappears(kind):
    sample = draw(kind, Chance(kind))
    least = max(MIN_VISIBLE, next(prefix.min_chars for prefix in ALL_PREFIXES if prefix.text == kind))
    for end in range(len(kind) + least, len(sample.text)):
        shown = REDACTOR.redact(f"It was cut: {sample.text[:end]}")
        assert not survives(sample.secret[: end - len(kind)], shown), end


@pytest.mark.parametrize("seed", range(4))
def test_pieces_joined_in_any_order_hide_each_secret(seed):
    chance = Chance(seed)
    for _ in range(400):
        samples = [draw(chance.choice([*KINDS]), chance) for _ in range(chance.randrange(1, 5))]
        pieces = [sample.text for sample in samples] + chance.sample(PROSE, 3)
        chance.shuffle(pieces)
        text = chance.choice(JOINTS).join(pieces)
        shown = REDACTOR.redact(text)
        assert not plain(text, 4_000)
        for sample in samples:
            rest = text.replace(sample.text, "")
            assert not survives(sample.secret, shown, digits=True) or survives(
                sample.secret, rest, digits=True
            ), sample.text[:8]


def test_hardly_any_harmless_text_is_altered():
    texts = [text for seed in range(5) for text in negatives(Chance(seed))]
    altered = [text for text in texts if REDACTOR.redact(text) != text]
    assert len(altered) <= len(texts) // 100, altered


@pytest.mark.parametrize("seed", range(3))
def test_no_harmless_text_in_any_context_is_wrongly_plain(seed):
    chance = random.Random(seed)
    for text in negatives(Chance(seed)):
        for fill in CONTEXTS.values():
            shown = fill(text)
            cut = shown[: chance.randrange(len(shown) + 1)]
            for each in (shown, cut):
                assert REDACTOR.redact(each) == each or not plain(each, 4_000), each
                assert wrongly_left_out(each) == [], each


def test_redacting_twice_changes_nothing_more():
    for case in cases(3, [*PERSONAL, *SHAPED, *NAMED]):
        once = REDACTOR.redact(case.text)
        assert REDACTOR.redact(once) == once, (case.kind, case.context)
