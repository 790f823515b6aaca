"""The parts of names of secrets are found wherever they stand, whatever stands beside them."""

from __future__ import annotations

import re
from itertools import product

import pytest
from llm_observe._redaction.names import STEMS
from llm_observe._redaction.stems import ASCII_STEMS, FOREIGN_STEMS, WHOLE_STEMS, find_stems


def stems_in(text):
    """Return where each stem stands, one search for each."""
    for stem in (*ASCII_STEMS, *FOREIGN_STEMS):
        pattern = re.escape(stem)
        if stem in WHOLE_STEMS:
            pattern = f"(?<![a-z]){pattern}(?![a-z])"
        yield from ((match.start(), match.end()) for match in re.finditer(pattern, text))


def are_covered(text):
    """Return whether each stem of a text is found, or one that overlaps it."""
    found = [(at, at + len(stem)) for at, stem in find_stems(text)]
    return all(any(start < to and at < end for at, to in found) for start, end in stems_in(text))


@pytest.mark.parametrize("stem", STEMS)
def test_a_stem_is_found_alone_and_where_it_stands(stem):
    assert any(at <= len(stem) for at, _ in find_stems(stem))
    whole = next(iter(find_stems(f"x1 {stem}: y")))
    assert f"x1 {stem}: y".startswith(whole[1], whole[0])


@pytest.mark.parametrize("between", ["", " ", "_", "-", "x", "s", "é", "\n"])
def test_each_of_two_stems_is_found(between):
    texts = (f"{one}{between}{other}" for one, other in product(ASCII_STEMS, (*ASCII_STEMS, *FOREIGN_STEMS)))
    assert [text for text in texts if not are_covered(text)] == []


@pytest.mark.parametrize("stem", sorted(WHOLE_STEMS))
def test_a_short_stem_is_no_part_of_a_word(stem):
    assert find_stems(f"q{stem}") == find_stems(f"{stem}q") == []
    assert find_stems(f"q_{stem} 1") == [(2, stem)]


def test_a_stem_is_named_by_its_place_and_text():
    assert find_stems("my secret token, apikey and otp") == [
        (3, "secret"), (10, "token"), (20, "key"), (28, "otp"),
    ]  # fmt: skip
