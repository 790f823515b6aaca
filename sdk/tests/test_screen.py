"""A log is redacted alike, whether its texts are screened by compiled code, in Python or not at all."""

from __future__ import annotations

import pytest
from llm_observe import _log_builder, _plain_text, _screen, _span_builder
from llm_observe._call import Call
from llm_observe._compiled import _plain_text as compiled
from llm_observe.redaction import Redactor

TEXTS = (
    "What is the capital of France?",
    "write to ann@example.org, +1 (415) 555-0132, or pay with 4111 1111 1111 1111",
    "my password is " + "hunter22",
    "sk-" + "a1B2c3D4e5F6g7H8i9J0" * 2,
    "Passwort: " + "gehe1m!",
    "a\u0301" * 300 + " mail josé\uff20exämple.org",
    "x" * 3_990 + " ann@example.org",
    "y" * 4_200 + " ann@example.org",
)


def preview_of(text: str) -> str:
    call = Call("openai", "chat", "m", lambda _: None)
    call.input_text = (text,)
    log = _log_builder.build_log(call, Redactor(), environment="", release="", capture_content=True)
    return log.input_preview


@pytest.mark.parametrize("twin", [compiled, _plain_text], ids=["compiled", "python"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_log_is_redacted_alike(monkeypatch, twin, text):
    monkeypatch.setattr(_screen, "suspects_in", twin.suspects_in)
    assert preview_of(text) == Redactor().preview(text[:4_000])


def test_the_screen_leaves_out_what_plain_text_does_not_need():
    assert compiled.suspects_in(TEXTS[0], 4_000) == 0


def test_a_span_is_redacted_with_the_screen():
    redacted = _span_builder._redact(Redactor(), TEXTS[1], 500)
    assert redacted == Redactor().preview(TEXTS[1], 500) != TEXTS[1]
