"""The stored words of enums are derived from the protos."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import llm_observe.v1
import pytest
from llm_observe.v1.admin_service_pb2 import ApiKeyRole, DeadLetterState
from llm_observe.v1.conversation_pb2 import ConversationState
from llm_observe.v1.log_pb2 import Outcome, UsageSource

from codec.words import words_of
from storage.api_keys import ROLES

MODULES = [
    import_module(f"llm_observe.v1.{module.name}") for module in pkgutil.iter_modules(llm_observe.v1.__path__)
]
ENUMS = {
    name: getattr(module, name)
    for module in MODULES
    if module.__name__.endswith("_pb2")
    for name in module.DESCRIPTOR.enum_types_by_name
}


@pytest.mark.parametrize("name", ENUMS)
def test_every_enum_value_has_a_word(name):
    enum, words = ENUMS[name], words_of(ENUMS[name])
    assert words[0] == ""
    for value in enum.DESCRIPTOR.values[1:]:
        assert words[value.number]
        assert value.name.lower().endswith(f"_{words[value.number]}")
        assert words.index(words[value.number]) == value.number
    assert len([word for word in words if word]) == len(enum.DESCRIPTOR.values) - 1


def test_words_match_the_stored_values():
    assert words_of(Outcome) == ("", "success", "error", "cancelled")
    assert words_of(UsageSource) == ("", "reported", "estimated", "missing")
    assert words_of(ConversationState) == ("", "active", "cancelled", "completed")
    assert words_of(DeadLetterState) == ("", "waiting", "replayed", "discarded")
    assert words_of(ApiKeyRole) == ("", *ROLES)
