"""What receivers get: Alertmanager's JSON, its signature, Slack's blocks, email."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.alert_channels import Target
from storage.alert_messages import Notice
from worker.notices.bodies import sign, slack_body, subject_of, text_of, webhook_body
from worker.notices.email import make_email
from worker.notices.settings import NoticeSettings

TIME = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
MESSAGE_ID = uuid.UUID("0198f1a0-0000-7000-8000-000000000001")
SECRET = "sign" + "ing"
TARGET = Target(
    channel_id=uuid.UUID(int=7),
    project_id="default",
    display_name="pager",
    type="webhook",
    url="https://example.com/" + "token",
    signing_secret=SECRET,
    email_addresses=(),
)


def make_notice(status: str = "firing", name: str = "Errors", model: str = "m", **fields) -> Notice:
    values = {
        "status": status,
        "fingerprint": "0123456789abcdef",
        "labels": {"alertname": name, "project": "default", "severity": "warning", "model": model},
        "summary": "error rate of m is 90 % over 5 minutes",
        "value": 0.9,
        "start_time": TIME,
        "resolve_time": TIME if status == "resolved" else None,
    }
    return Notice(**{**values, **fields})


def test_the_webhook_has_alertmanagers_shape():
    body = json.loads(webhook_body(MESSAGE_ID, TARGET, [make_notice(), make_notice("resolved", model="n")]))
    assert body == {
        "version": "4",
        "idempotencyKey": str(MESSAGE_ID),
        "groupKey": '{}:{project="default"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "pager",
        "groupLabels": {"project": "default"},
        "commonLabels": {"alertname": "Errors", "project": "default", "severity": "warning"},
        "commonAnnotations": {"summary": "error rate of m is 90 % over 5 minutes", "value": "0.9"},
        "externalURL": "",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "Errors", "project": "default", "severity": "warning", "model": "m"},
                "annotations": {"summary": "error rate of m is 90 % over 5 minutes", "value": "0.9"},
                "startsAt": "2026-03-01T12:30:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": "0123456789abcdef",
            },
            {
                "status": "resolved",
                "labels": {"alertname": "Errors", "project": "default", "severity": "warning", "model": "n"},
                "annotations": {"summary": "error rate of m is 90 % over 5 minutes", "value": "0.9"},
                "startsAt": "2026-03-01T12:30:00Z",
                "endsAt": "2026-03-01T12:30:00Z",
                "generatorURL": "",
                "fingerprint": "0123456789abcdef",
            },
        ],
    }
    resolved = json.loads(webhook_body(MESSAGE_ID, TARGET, [make_notice("resolved")]))
    assert resolved["status"] == "resolved"


def test_the_signature_covers_the_timestamp_and_the_body():
    expected = hmac.new(SECRET.encode(), b"1772368200.{}", hashlib.sha256).hexdigest()
    assert sign(SECRET, 1772368200, b"{}") == expected
    assert sign(SECRET, 1772368201, b"{}") != expected
    assert sign(SECRET, 1772368200, b"{ }") != expected
    assert sign(SECRET + "x", 1772368200, b"{}") != expected


def test_the_verification_in_the_documentation_works():
    text = (Path(__file__).parent.parent.parent / "docs/alerts.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own documentation
    body, now = b'{"version": "4"}', 1_772_368_200
    headers = {
        "X-LLM-Observe-Timestamp": str(now),
        "X-LLM-Observe-Signature": f"v1={sign(SECRET, now, body)}",
    }
    assert names["is_genuine"](SECRET, headers, body, now + 60)
    assert not names["is_genuine"](SECRET, headers, body, now + 3600)  # replayed
    assert not names["is_genuine"](SECRET, headers, body + b" ", now)
    assert not names["is_genuine"](SECRET + "x", headers, body, now)
    assert not names["is_genuine"](SECRET, {}, body, now)


def test_slack_text_is_escaped_and_bounded():
    notices = [make_notice(name="<!channel> & <https://evil|x>", summary="x" * 5000)] * 30
    body = json.loads(slack_body(notices))
    assert len(body["blocks"]) == 21
    assert body["blocks"][-1]["text"]["text"] == "and 10 more"
    for block in body["blocks"]:
        assert len(block["text"]["text"]) <= 3000
        assert "<" not in block["text"]["text"]
    assert "&lt;!channel&gt; &amp; &lt;https://evil|x&gt;" in body["blocks"][0]["text"]["text"]
    assert "<" not in body["text"]


@pytest.mark.parametrize("name", ["two\r\nBcc: evil@example.com", "tab\there", "\u2028", "x" * 500])
def test_no_name_breaks_an_email(name):
    settings = NoticeSettings(smtp_from="alerts@example.com")
    notices = [make_notice(name=name, model="a\r\n.\r\nb")]
    email = make_email(settings, ["ops@example.com"], subject_of(notices), text_of(notices), MESSAGE_ID)
    assert email["Bcc"] is None
    assert email["Message-ID"] == f"<{MESSAGE_ID}@example.com>"
    assert len(email["Subject"]) <= 150
    assert email.as_bytes()


def test_a_subject_says_how_much_there_is():
    assert subject_of([make_notice(), make_notice("resolved")]) == "[firing] Errors and 1 more (default)"
    assert subject_of([make_notice("resolved")]) == "[resolved] Errors (default)"


def test_a_target_shows_no_secret():
    assert "token" not in repr(TARGET)
    assert SECRET not in repr(TARGET)
    assert SECRET not in str([TARGET])
