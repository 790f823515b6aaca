"""The texts that benchmarks send are seeded, of many kinds, and one of twenty holds something to redact."""

from __future__ import annotations

import pytest
from llm_observe.redaction import Redactor

from tests.support.redaction.chance import Chance
from tests.support.texts import MAX_CHARS, PARAGRAPHS, fill, make_text

REDACTOR = Redactor()


@pytest.mark.parametrize("paragraph", PARAGRAPHS)
def test_nothing_in_a_paragraph_is_redacted(paragraph):
    text = fill(paragraph, Chance(1))
    assert REDACTOR.redact(text) == text


def test_one_text_of_twenty_holds_something_to_redact():
    texts = [make_text(chance) for chance in [Chance(2)] for _ in range(1_000)]
    assert texts == [make_text(chance) for chance in [Chance(2)] for _ in range(1_000)]
    assert 30 < sum(REDACTOR.redact(text) != text for text in texts) < 75
    assert max(map(len, texts)) <= MAX_CHARS
    assert len(PARAGRAPHS) > 50
