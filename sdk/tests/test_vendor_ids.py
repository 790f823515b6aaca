"""Ids of vendors are not searched, unless they may hold a secret."""

from __future__ import annotations

import random
import string
import uuid

import pytest
from llm_observe._redaction.prefixes import ALL
from llm_observe.redaction import Redactor
from llm_observe.v1.log_pb2 import Log

LETTERS = string.ascii_letters + string.digits
CARD = "4111" + "1111" * 3
STARTS = ("chatcmpl-", "cmpl-", "resp_", "msg_", "req_")


def redacted(text: str) -> str:
    log = Log(provider_response_id=text)
    Redactor().redact_log(log)
    return log.provider_response_id


@pytest.mark.parametrize("start", STARTS)
def test_an_id_is_kept(start):
    chance = random.Random(7)
    for length in range(20, 40):
        text = start + "".join(chance.choices(LETTERS, k=length))
        assert redacted(text) == text
        text = start + uuid.UUID(int=chance.getrandbits(128)).hex
        assert redacted(text) == text


def test_a_key_or_a_card_behind_such_a_start_is_redacted_as_anywhere():
    chance = random.Random(7)
    for prefix in ALL:
        text = "msg_" + prefix.text + "".join(chance.choices(LETTERS, k=max(prefix.min_chars, 30)))
        assert redacted(text) == Redactor().redact(text)
    for text in (f"req_{CARD}", f"req_{CARD}abcdef", f"resp_0x{uuid.UUID(int=7).hex}12345678"):
        assert redacted(text) == Redactor().redact(text)


def test_other_fields_are_searched():
    text = "msg_" + "3XS8iW3hK6s14AjnZAtB5pb6tx8rf3pn6o"
    log = Log(session_id=text)
    Redactor().redact_log(log)
    assert log.session_id == Redactor().redact(text)
