"""The compiled screen leaves out a detector only if it finds nothing, and so a plain text stays as it is."""

from __future__ import annotations

import random
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_observe._compiled import _plain_text as sdk_plain_text
from llm_observe._redaction import credentials, names, prefixes
from llm_observe.redaction import Redactor

from codec._plain_text import suspects_in
from tests.support.properties import examples
from tests.support.screen import BITS, plain, wrongly_left_out

REDACTOR = Redactor()


def iban_of_letters() -> str:
    """A valid IBAN whose account number has no digit."""
    rest = "ABCDEFGHIJKLMNOPQR"
    number = int("".join(str(int(char, 36)) for char in rest + "GB00"))
    return f"GB{98 - number % 97:02}{rest}"


NUMBERS = (
    "4111 1111 1111 1111", "123-45-6789", "+1 (415) 555-0132", "call 415.555.0132 x12", "01 84 17 61 18",
    "GB82 WEST 1234 5698 7654 32", iban_of_letters(), "192.168.17.200", "10.0.0.1", "2001:db8::8a2e:370:7334",
    "1:2:3:4:5:6:7:8", "00:1B:44:11:3A:B7", "001b.4411.3ab7", "dev a.b. aabb.ccdd.eeff 1",
    "0x" + "52908400098527886E0F7030069857D2E4169EE7", "mobile: 0171 1234567", "2026-11-25",
    "2026-11-25 14:30:07", "0.1234567", "12345678", "3.14.15", "1,234,567", "12:34:56",
)  # fmt: skip
ADDRESSES = (
    "ann@example.org", "ann%40example.org", "josé\uff20exämple.org", "张三@例子.中国", "@ann", "user: ann",
)  # fmt: skip
STATED = (
    "my password is " + "hunter22", "password: " + "correct1horse", "the secret was " + "ab12cd34",
    "Bearer " + "abcDEF12345", "basic understanding of", "token budget of 4096", "tokens per request",
    "api-key " + "qwerty77", "--token " + "abc123def", "--auth " + "a1b2c3d4",
    "--verbose", "max_tokens: 4096", 'apiKey":"' + "k3" * 6, "sig=" + "0a1b2c3d4e", "key = value",
    "name: token\n  value: " + "ab12cd34ef",
    "name: MY_PAT\n  value: " + "a1b2c3d4e5f6", "12345678:" + "A" + "a-" * 17,
    "https://u:" + "p4ss" + "@host/", "-----BEGIN RSA PRIVATE" + " KEY-----",
    "https://hooks.slack.com" + "/services/T0/B0",
)  # fmt: skip
KEYS = tuple(
    prefix.text + ("aB3" * 30)[: prefix.min_chars + more] for prefix in prefixes.ALL for more in (-1, 0, 9)
)
HOSTS = tuple(host for host, _ in credentials.WEBHOOKS)
WORDS = (*names.STEMS, "bearer", "basic", *HOSTS)
PROSE = (
    "Summarise the support ticket below in two sentences and say what the customer wants.",
    "Basic understanding of tokens per request; chapter 12 of 34, version 1.2.3, about 56.7 %.",
    "Größe, naïve café \u2013 “quoted” … and \u2018so on\u2019 • 5 €",
    "Краткое содержание обращения клиента и что он хочет",
    "请用两句话总结下面的工单\uff0c并说明客户想要什么。🙂",
    "def add(a, b):\n    return a + b  # it's 2026-11-25, 14:30",
    '{"total": 12, "items": ["a", "b"], "ok": true}',
    "first line\\nsecond line\\tend",
    "request 0f9c2c8e-7b1a-4c3d-9e2f-aa6b7c8d9e0f of file_google_protobuf_v2",
    "sha256 of it: e22ce7cacb013b22d5f6388268acb850c813fd521dd77cdcf02347c1f59ff479",
    "/**\n * @generated from message google.rpc.Status\n */",
    "The session expires after that; see ticket 1234567890.",
)
PIECES = (*NUMBERS, *ADDRESSES, *STATED, *KEYS, *WORDS, *PROSE)
SIGNS = (
    "0123456789 .:-=@%/\\_()'\"+,;\n\t[]{}|~$#&abcdefxyzABCDEFXYZ"
    "\u00a0\u0131\u017f\u0663\u212aßé\u2013—。\uff20\uff11\uff11"
)


def is_kept(text: str) -> bool:
    return REDACTOR.redact(text) == text


@pytest.mark.parametrize("text", PROSE)
def test_ordinary_text_is_plain(text):
    assert is_kept(text)
    assert plain(text)


@pytest.mark.parametrize("text", ["", "x" * 25, "Ж" * 500])
def test_edge_cases_are_plain(text):
    assert plain(text)


@pytest.mark.parametrize(
    "text",
    ["a\0b", "Ж" * 501, "y " * 3000, "three\u00a0spaces", "²", "a\\u0041", "%41", "&amp;"],
)
def test_uncertain_text_is_not_plain(text):
    assert not plain(text)


@pytest.mark.parametrize("text", PIECES)
def test_no_piece_is_wrongly_plain(text):
    for shown in (
        text,
        f"so {text} it is",
        f"({text})",
        f"x{text}",
        text.upper(),
        text.replace(" ", "\u2014"),
    ):
        assert is_kept(shown) or not plain(shown), shown
        assert wrongly_left_out(shown) == [], shown


@examples(400)
@given(
    st.lists(st.sampled_from(PIECES) | st.text(SIGNS, max_size=12) | st.text(max_size=4), max_size=5),
    st.sampled_from(["", " ", ": ", "\n"]),
)
def test_no_mixture_is_wrongly_plain(pieces, between):
    text = between.join(pieces)
    assert not plain(text, 4000) or is_kept(text)
    assert wrongly_left_out(text) == []


@pytest.mark.parametrize("seed", range(4))
def test_no_mutation_is_wrongly_plain(seed):
    """Pieces with characters changed, removed and added; many results are plain, so the test can fail."""
    chance = random.Random(seed)
    plain_count = 0
    for _ in range(5_000):
        text = chance.choice(PIECES) + " " + chance.choice(PIECES)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(text))
            text = (
                text[:at] + chance.choice(SIGNS) * chance.randrange(2) + text[at + chance.randrange(3) :]
                or "a"
            )
        assert wrongly_left_out(text) == [], text
        if plain(text, 4000):
            plain_count += 1
            assert is_kept(text), text
    assert plain_count > 120


@pytest.mark.parametrize(("text", "names"), [
    ("write to " + "ann" + "@" + "example.org", {"emails"}),
    ("the server 10.1.2.3 is down", {"machine_addresses", "national_ids"}),
    ("password: " + "hunter22", {"assigned", "national_ids"}),
    (r'{"text": "say \"so\", and \\\"go\\\""}', set()),
    ("Fiyat\u0131 soruyor, 안녕하세요, İyi günler", set()),
    ("std::map<std::string, int> counts; // 12 of them", {"national_ids"}),
    ("the next page token is the last", set()),
])  # fmt: skip
def test_only_what_a_text_holds_calls_for_a_detector(text, names):
    assert {name for name, bit in BITS.items() if suspects_in(text) & bit} == names


@pytest.mark.parametrize(
    "text",
    [
        "The session is now closed, and ticket A1b2C3d4E5 is for 12:30.",
        'The answer named a "password" (score 0.83), which is no value.',
        "The key was lost in 2019 near building B12.",
        "Each session is réservée at 14:30 for Zoë2024.",
        "first\\nsecret for five years\\n2024",
    ],
)
def test_a_name_without_a_value_calls_for_nothing(text):
    assert not suspects_in(text) & BITS["assigned"]


@pytest.mark.parametrize("link", [" is ", ": ", "は", "是", "는 ", "→", "=", "：", '" は "'])  # noqa: RUF001 - of full width
@pytest.mark.parametrize("name", ["password", "db_pass_2", "api_token", "my secret", "パスワード", "密码"])
def test_a_value_behind_a_name_calls_for_its_detector_in_any_script(name, link):
    text = f"see {name}{link}{'Tr0ub4dor' + 'Xy12&3'}"
    assert wrongly_left_out(text) == []
    assert REDACTOR.redact(text) != text


BEFORE_NAMES = ("", "my ", "x", "db_", "the old ", "--", '"', "<", "é", "中", "s", "to")
BEHIND_NAMES = ("", "s", "_2", "key", "word", "ed")
LINKS = (
    "=", ": ", " is ", ' = "', '":"', "\n", ",", " ", "|", "> ", " was set to ", "_id=", "-", ")",
    " (see 3) ", '\\":\\"', "\uff1b", "\uff1a", "は",
)  # fmt: skip
VALUES = (
    "hunter22", "Tr0ub4dor" + "&3", "a1b2" + "c3d4e5f6", "correct horse battery", "secret", "x" * 12,
    "<here>", "$VAR", "12345", "now closed", "null", "pässwort9", "密码123456",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_a_name_beside_others_is_left_out_only_without_a_value(seed):
    draw = random.Random(seed)
    words = " ".join(PROSE).split()

    def piece():
        if draw.random() < 0.5:
            return " ".join(draw.choices(words, k=draw.randint(1, 12)))
        parts = (BEFORE_NAMES, names.STEMS, BEHIND_NAMES, LINKS, VALUES)
        return "".join(draw.choice(part) for part in parts)

    texts = [draw.choice((" ", "\n", ",", "")).join(piece() for _ in range(4)) for _ in range(500)]
    assert [(text, missed) for text in texts if (missed := wrongly_left_out(text))] == []


def test_a_number_is_an_iban_by_its_check_digits_or_by_its_name():
    valid, invalid = "GB82 WEST 1234 5698 7654 32", "GB83 WEST 1234 5698 7654 32"
    assert suspects_in(f"to {valid} now") & BITS["ibans"]
    assert not suspects_in(f"to {invalid} now") & BITS["ibans"]
    assert suspects_in(f"IBAN: {invalid} now") & BITS["ibans"]


def test_a_text_of_many_names_is_asked_about_a_few_times_only(monkeypatch):
    asked = Mock(return_value=False)
    monkeypatch.setattr("llm_observe.screening.is_assigned", asked)
    assert suspects_in("key: 12345abcde " * 30) & BITS["assigned"]
    assert asked.call_count == 8


def test_the_sdk_has_the_same_screen():
    assert {text: suspects_in(text) for text in PIECES} == {
        text: sdk_plain_text.suspects_in(text) for text in PIECES
    }
