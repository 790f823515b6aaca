"""The literals that the detectors of llm_observe.redaction search for. Standard library only.

For programs that screen texts before redaction, and tell the Redactor which detectors could find something:
each of these, a digit, and the signs of addresses call for some of them.
"""

from __future__ import annotations

from typing import Final

from llm_observe._redaction.assignments import PREPOSITIONS, VALUE_WORDS, is_assigned
from llm_observe._redaction.commands import PRINTING_TOOLS, STDIN_OPTIONS, TOOL_NAMES
from llm_observe._redaction.credentials import ELIDED_CHARS, SCHEMES, WEBHOOKS
from llm_observe._redaction.detectors import ALL_BITS, BITS
from llm_observe._redaction.ibans import IBAN_LENGTHS
from llm_observe._redaction.name_kinds import NameKind, kind_of
from llm_observe._redaction.numbers import ASCII_CONTEXT_WORDS
from llm_observe._redaction.prefixes import ALL, EXACT_CHARS, KeyPrefix
from llm_observe._redaction.stems import ASCII_STEMS, FOREIGN_STEMS, WHOLE_STEMS, has_foreign_stem
from llm_observe._redaction.values import is_plain_word

__all__ = [
    "ALL_BITS", "ASCII_STEMS", "BITS", "FOREIGN_STEMS", "IBAN_LENGTHS", "KEY_MARKS", "KEY_PREFIXES",
    "LINKING_VERBS", "LINKING_WORDS", "NAME_KINDS", "NUMBER_WORDS", "PREPOSITIONS", "PRINTING_TOOLS",
    "SCHEMES", "STDIN_OPTIONS", "TOOL_NAMES", "VALUE_WORDS", "WEBHOOK_HOSTS", "WHOLE_STEMS",
    "has_foreign_stem", "is_assigned", "is_plain_word", "kind_of",
]  # fmt: skip


def _least_chars(prefix: KeyPrefix) -> int:
    """Return how many characters follow a prefix at least, in a whole key or in one before an ellipsis."""
    elided = ELIDED_CHARS if prefix.text[-1] in "-_." else prefix.min_chars
    return min(prefix.min_chars, EXACT_CHARS.get(prefix.text, prefix.min_chars), elided)


KEY_PREFIXES: Final = tuple((prefix.text, _least_chars(prefix)) for prefix in ALL)
"""Prefixes of vendors' keys, each with the least number of characters that follow."""
KEY_MARKS: Final = ("atlasv1", "jqqj9", "_mmk")
"""Marks, in lower case, of keys without a prefix that nothing else gives away."""
WEBHOOK_HOSTS: Final = tuple(host for host, _ in WEBHOOKS)
NUMBER_WORDS: Final = ASCII_CONTEXT_WORDS
"""Words near a number of which one makes it a person's, in lower case; or an extension (x 12) follows it."""
_LINKING_VERBS_TEXT: Final = "is was are ist lautet war es era est er jest equals reads bylo je"
LINKING_VERBS: Final = frozenset(_LINKING_VERBS_TEXT.split())
"""Words of a-z behind which the value of a name stands, perhaps after another word or two."""
_LINKING_TEXT: Final = """
    for of on in to para pour de di von del as str string text char bytes const value val content default
    secret
"""
LINKING_WORDS: Final = LINKING_VERBS | frozenset(_LINKING_TEXT.split())
"""Words of a-z that may stand between a name and its value."""
NAME_KINDS: Final = tuple(NameKind)
"""What a name may say of its value, from nothing to any word at all."""
