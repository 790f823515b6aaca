"""Sends a message to a channel, once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from storage.alert_messages import Notice
from worker.notices.bodies import sign, slack_body, subject_of, text_of, webhook_body
from worker.notices.email import send_email
from worker.notices.http import post_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from storage.alert_channels import Target
    from worker.notices.settings import NoticeSettings


class Notifier:
    """Sends messages.

    Args:
        settings: Where they may be sent.
        clock: The time, which the signature of a webhook covers.
    """

    def __init__(
        self, settings: NoticeSettings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self._clock = clock

    @property
    def allows_private(self) -> bool:
        """Whether webhooks may have private addresses, and no TLS."""
        return self._settings.allow_private

    async def send(self, message_id: UUID, target: Target, notices: Sequence[Notice]) -> None:
        """Send notices to a channel, in one message. Receivers know a repeated one by its id.

        Raises:
            NotDelivered: The receiver cannot be reached, or does not take it.
        """
        if target.type == "email":
            subject, text = subject_of(notices), text_of(notices)
            await send_email(self._settings, target.email_addresses, subject, text, message_id)
            return
        headers = {"Idempotency-Key": str(message_id)}
        if target.type == "slack":
            body = slack_body(notices)
        else:
            body = webhook_body(message_id, target, notices)
            timestamp = int(self._clock().timestamp())
            headers["X-LLM-Observe-Timestamp"] = str(timestamp)
            headers["X-LLM-Observe-Signature"] = f"v1={sign(target.signing_secret, timestamp, body)}"
        await post_json(target.url, body, headers, allow_private=self._settings.allow_private)


def make_test_notice(project_id: str, now: datetime) -> Notice:
    """Return the notice of a test."""
    return Notice(
        status="firing",
        fingerprint="0" * 16,
        labels={"alertname": "Test", "project": project_id, "severity": "info"},
        summary="This is a test of the channel: nothing is wrong.",
        value=0.0,
        start_time=now,
        resolve_time=None,
    )
