"""What messages look like: Alertmanager's JSON, Slack's blocks, plain text."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from storage.alert_channels import Target
    from storage.alert_messages import Notice

_OPEN_END: Final = "0001-01-01T00:00:00Z"
"""Alertmanager's end of an alert that has none."""
_MAX_SLACK_NOTICES: Final = 20
"""Notices that a message shows in Slack, which takes 50 blocks."""
_MAX_SLACK_CHARS: Final = 2900
"""Slack takes 3000 characters a block."""
_MAX_SUBJECT_CHARS: Final = 150


def webhook_body(message_id: UUID, target: Target, notices: Sequence[Notice]) -> bytes:
    """Return the JSON of a webhook, in the shape of version 4 of Alertmanager's."""
    alerts = [_alert(notice) for notice in notices]
    body = {
        "version": "4",
        "idempotencyKey": str(message_id),
        "groupKey": f"{{}}:{{project={json.dumps(target.project_id)}}}",
        "truncatedAlerts": 0,
        "status": status_of(notices),
        "receiver": target.display_name,
        "groupLabels": {"project": target.project_id},
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": "",
        "alerts": alerts,
    }
    return json.dumps(body, ensure_ascii=False).encode()


def status_of(notices: Sequence[Notice]) -> str:
    """Return `firing` if any notice says so, else `resolved`."""
    return "firing" if any(notice.status == "firing" for notice in notices) else "resolved"


def _alert(notice: Notice) -> dict[str, Any]:
    return {
        "status": notice.status,
        "labels": dict(notice.labels),
        "annotations": {"summary": notice.summary, "value": f"{notice.value:.15g}"},
        "startsAt": _format_time(notice.start_time),
        "endsAt": _OPEN_END if notice.resolve_time is None else _format_time(notice.resolve_time),
        "generatorURL": "",
        "fingerprint": notice.fingerprint,
    }


def _format_time(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _common(all_pairs: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return the pairs that all have."""
    first, *others = all_pairs or [{}]
    return {key: value for key, value in first.items() if all(each.get(key) == value for each in others)}


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a webhook: HMAC-SHA256 over the timestamp, a full stop and the body."""
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def slack_body(notices: Sequence[Notice]) -> bytes:
    """Return the JSON of a Slack message."""
    blocks = [_block(_slack_line(notice)) for notice in notices[:_MAX_SLACK_NOTICES]]
    if len(notices) > _MAX_SLACK_NOTICES:
        blocks.append(_block(f"and {len(notices) - _MAX_SLACK_NOTICES} more"))
    return json.dumps({"text": _escape(subject_of(notices)), "blocks": blocks}).encode()


def _block(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_MAX_SLACK_CHARS]}}


def _slack_line(notice: Notice) -> str:
    icon = ":red_circle:" if notice.status == "firing" else ":large_green_circle:"
    return f"{icon} *{_escape(notice.labels['alertname'])}* {notice.status}: {_escape(notice.summary)}"


def _escape(text: str) -> str:
    """Escape what Slack reads as a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def subject_of(notices: Sequence[Notice]) -> str:
    """Return one line for all notices."""
    first, *others = notices
    more = f" and {len(others)} more" if others else ""
    title = f"[{status_of(notices)}] {first.labels['alertname']}{more} ({first.labels['project']})"
    return "".join(char if char.isprintable() else " " for char in title)[:_MAX_SUBJECT_CHARS]


def text_of(notices: Sequence[Notice]) -> str:
    """Return plain text for an email."""
    return "\n\n".join(_paragraph(notice) for notice in notices)


def _paragraph(notice: Notice) -> str:
    labels = ", ".join(f"{key}={value}" for key, value in notice.labels.items())
    return "\n".join(
        (
            f"{notice.status.upper()}: {notice.labels['alertname']}",
            notice.summary,
            f"since {_format_time(notice.start_time)}",
            labels,
        )
    )
