"""Redaction removes secrets, keeps other text, and takes linear time."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from llm_observe.redaction import PREVIEW_CHARS, Redactor, Rule, clean, cut
from llm_observe.v1.log_pb2 import Log

R = Redactor()
KEY = "sk-" + "proj-" + "aB3" * 12

SECRETS = {
    "email": ("write to bob.smith+x@mail.example.co.uk now", "write to [EMAIL] now"),
    "phone": ("call +49 30 901820 or 415-555-0132.", "call [PHONE] or [PHONE]."),
    "ssn": ("ssn 123-45-6789", "ssn [SSN]"),
    "card": ("card 4111 1111 1111 1111", "card [CREDIT_CARD]"),
    "iban": ("to DE89 3704 0044 0532 0130 00", "to [IBAN]"),
    "ip": ("from 192.168.0.1:80", "from [IP_ADDRESS]:80"),
    "openai": (f"key {KEY}", "key [API_KEY]"),
    "aws": ("id AKIA" + "ABCDEFGH23456789", "id [AWS_KEY]"),
    "ipv6": ("from 2a02:26f0::5cb4:1dfc:b897:8c5d!", "from [IP_ADDRESS]!"),
    "mac": ("dev d5:a9:01:11:5e:f6", "dev [MAC_ADDRESS]"),
    "wallet": ("to 0x" + "a4197b6d87033bBB552DA4f2f8505Ec761381006", "to [WALLET]"),
    "full width": ("card " + "\uff14" + "\uff11" * 15, "card [CREDIT_CARD]"),
    "digits of another script": ("call +" + "४९ ३० ९०१८२०", "call [PHONE]"),
    "no-break hyphen": ("call 1\u2011201\u2011588\u20117151", "call [PHONE]"),
    "low entropy": ("key sk-" + "a" * 30, "key [API_KEY]"),
    "yaml": ('name: DB_PASSWORD\n  value: "' + "s3cr3t!x" + '"', 'name: DB_PASSWORD\n  value: "[SECRET]"'),
    "header": ("x-api-key: " + "k9" * 12, "x-api-key: [SECRET]"),
    "stated": ("my password is " + "hunter42x", "my password is [SECRET]"),
    "beside Chinese": ("邮箱bob@example.com。", "邮箱[EMAIL]。"),
    "truncated": ("log " + "ghp_" + "a1B2c3D4e5F6", "log [API_KEY]"),
    "github": ("ghp_" + "a1B2c3" * 6, "[API_KEY]"),
    "jwt": ("eyJ" + "hbGciOiJIUzI1NiJ9" + "." + "eyJzdWIiOiIxIn0" + "." + "c2ln", "[JWT]"),
    "bearer": ("Authorization: Bearer " + "abc123" * 4, "Authorization: Bearer [AUTH]"),
    "url": ("postgres://app:" + "hunter2" + "@db/x", "postgres://app:[URL_PASSWORD]@db/x"),
    "assignment": ('password = "' + "hunter2" + '"', 'password = "[SECRET]"'),
    "private key": (
        "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIE\n-----END RSA PRIVATE" + " KEY-----",
        "[PRIVATE_KEY]",
    ),
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_become_placeholders(name):
    text, expected = SECRETS[name]
    assert R.redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The meeting is on 2026-11-23 at 10:30.",
        "order 1234567890123456 of version 1.2.3",
        "sum(x for x in range(10)) == 45",
        "a token is a piece of a word; secrets are bad",
        "ISBN 978-3-16-148410-0",
        "usage: prompt_tokens=87096, max_tokens=4096",
        'api_key = os.environ["OPENAI_API_KEY"]',
        "password: str = Field(..., min_length=8)",
        "commit b3d2e670ff53df401e44b1a625c70e6cf3e7317a",
        "npm i @scope/pkg@18.38.71+build.1848",
        "version 116.0.6129.197 of std::vector at 10:30:00",
        "run_id=46f4c152-8185-41cc-a701-52b35a6342cc",
        "curl -H 'Authorization: Bearer $TOKEN'",
        "see section 6.9.3.2 of RFC 7538",
        "",
    ],
)
def test_ordinary_text_is_left_alone(text):
    assert R.redact(text) == text


def test_text_is_redacted_before_it_is_truncated():
    text = "x" * (PREVIEW_CHARS - 10) + " " + KEY + " tail"
    preview = R.preview(text)
    assert len(preview) <= PREVIEW_CHARS
    assert "sk-" not in preview


def test_a_placeholder_is_never_truncated():
    for length in range(480, 512):
        preview = R.preview("x" * length + " bob@example.com " + "y" * 100)
        assert len(preview) <= PREVIEW_CHARS
        assert "[EMAI" not in preview.replace("[EMAIL]", "")


def test_cut_leaves_short_texts_alone():
    assert cut("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("text", "expected"), [("a\x00b", "a\ufffdb"), ("a\ud800b", "a\ufffdb"), ("wörld 🌍", "wörld 🌍")]
)
def test_unstorable_characters_are_replaced(text, expected):
    assert clean(text) == expected


def test_every_text_of_a_log_is_redacted():
    texts: dict[str, Any] = {
        field.name: KEY
        for field in Log.DESCRIPTOR.fields
        if field.type == field.TYPE_STRING and field.name not in {"metadata", "tags"}
    }
    log = Log(**texts, tags=[KEY], metadata={KEY: KEY})
    R.redact_log(log)
    # Ids have a fixed form, checked at the edge; price_version is set by the server alone.
    for name in ("log_id", "trace_id", "span_id", "parent_span_id", "price_version"):
        log.ClearField(name)
    assert "sk-" not in str(log)


def test_kinds_can_be_disabled_and_added():
    own = Redactor(
        disabled_kinds=["EMAIL"], extra_rules=[Rule("TICKET", ("tkt",), re.compile(r"TKT-\d{1,9}"))]
    )
    assert own.redact("bob@example.com TKT-42") == "bob@example.com [TICKET]"


@pytest.mark.parametrize(
    "fragment",
    [
        "a@",
        "1-",
        "4111 ",
        "eyJ",
        "sk-",
        "://a:",
        "password=",
        "1.2.3.",
        "+1 ",
        "A1",
        "::1",
        "token=",
        "1234 ",
        '\\"',
        "%20",
        "&quot;",
        "\\",
        "| key | ",
        "key",
        "aB3_",
    ],
)
def test_hostile_text_takes_linear_time(fragment):
    def seconds(size: int) -> float:
        text = (fragment * size)[:size]
        begin = time.process_time()
        R.redact(text)
        return time.process_time() - begin

    # Sixteen times the text must not take a hundred times as long, as quadratic work would.
    small = max(seconds(4_000), seconds(4_000), 1e-4)
    assert seconds(64_000) < 100 * small


def test_disabling_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="unknown kinds: EMIAL"):
        Redactor(disabled_kinds=["EMIAL"])
