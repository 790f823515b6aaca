"""What is left out of the reading of a span for speed would have found nothing."""

from __future__ import annotations

import re

import pytest
from llm_observe.redaction import Redactor, Rule
from llm_observe.v1.log_pb2 import Log

from codec.otlp import decode_json
from codec.otlp.classify import DIALECTS, plan_of
from codec.otlp.sources import Reader
from codec.otlp.span import Span
from codec.screened import redact_log
from tests.support.otlp_bodies import body, messages, span
from tests.unit.test_plain_text import ADDRESSES, KEYS, NUMBERS, PROSE, STATED

KEYS_OF_DIALECTS = {
    key
    for dialect in DIALECTS
    for sources in dialect.sources.values()
    for source in sources
    for key in ([source] if isinstance(source, str) else source.keys if isinstance(source, Reader) else [])
}
VALUES = ("text", 7, True, ["one"], messages(("user", "Hi"), ("assistant", "Hello")), '{"id": "resp_1"}')
TEXTS = (*NUMBERS, *ADDRESSES, *STATED, *KEYS[::20], *PROSE)


def made(attributes: dict[str, object]) -> Span:
    (found,) = decode_json.read_spans(body(span(attributes=attributes)))
    return found


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_reader_finds_nothing_where_its_attributes_are_missing(value):
    for dialect in DIALECTS:
        for field, sources in dialect.sources.items():
            for source in sources:
                if isinstance(source, Reader):
                    others = made(dict.fromkeys(KEYS_OF_DIALECTS.difference(source.keys), value))
                    assert source(others) is None, f"{dialect.name}: {field}"


def test_a_plan_has_what_a_span_has_in_the_order_of_the_dialects():
    found = made({"gen_ai.request.model": "a", "llm.request.model_name": "b", "gen_ai.system": "openai"})
    by_name = {dialect.name: plan_of(found, dialect).sources["model"] for dialect in DIALECTS}
    assert by_name["openinference"][:2] == ("llm.request.model_name", "gen_ai.request.model")
    assert by_name["gen_ai"][0] == "gen_ai.request.model"
    assert "response_model" not in plan_of(found, DIALECTS[-1]).sources


@pytest.mark.parametrize(
    "redactor",
    [Redactor(), Redactor(["EMAIL"]), Redactor(extra_rules=[Rule("CITY", (), re.compile("Oslo"))])],
    ids=["usual", "a kind is off", "a rule of one's own"],
)
def test_screened_redaction_is_redaction(redactor):
    """Of every text, alone and in a long one, in each place of a log."""
    for text in TEXTS:
        for shown in (f"Oslo: {text}", f"{PROSE[0] * 8} {text} {PROSE[1] * 60}"):
            plain = Log(input_preview=shown, session_id=text[:200], tags=[text[:64]])
            plain.provider_response_id = text[-200:]
            plain.metadata[text[:64]] = shown[:500]
            screened = Log.FromString(plain.SerializeToString())
            redactor.redact_log(plain)
            redact_log(redactor, screened)
            assert screened == plain
