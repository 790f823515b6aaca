"""Email by SMTP. The server stands in the settings: its address is not checked."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

from worker.notices.errors import NotDelivered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from worker.notices.settings import NoticeSettings

_STEP_TIMEOUT_S: Final = 10.0
"""For each step of the conversation."""
TIMEOUT_S: Final = 30.0
"""For all of it."""


async def send_email(
    settings: NoticeSettings, addresses: Sequence[str], subject: str, text: str, message_id: UUID
) -> None:
    """Send an email to all addresses.

    Raises:
        NotDelivered: No server is set, or it cannot be reached or does not take the message; finally where
            it refuses some addresses, since the others would get the message again.
    """
    if not settings.smtp_host:
        raise NotDelivered("no SMTP server is set: see LLM_OBSERVE_SMTP_HOST")
    message = make_email(settings, addresses, subject, text, message_id)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            refused_count = await asyncio.to_thread(_send, settings, message)
    except TimeoutError:
        raise NotDelivered(f"the SMTP server took longer than {TIMEOUT_S:g} s") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"the SMTP server failed ({_reason_of(error)})") from None
    if refused_count:
        reason = f"the SMTP server refused {refused_count} of {len(addresses)} addresses"
        raise NotDelivered(f"{reason}; the others have the message", final=True)


def make_email(
    settings: NoticeSettings, addresses: Sequence[str], subject: str, text: str, message_id: UUID
) -> EmailMessage:
    """Return an email whose Message-ID is the same at each attempt, so that mail servers drop repetitions."""
    domain = settings.smtp_from.rpartition("@")[2]
    message = EmailMessage()
    message["From"] = settings.smtp_from
    message["To"] = ", ".join(addresses)
    message["Subject"] = subject
    message["Message-ID"] = f"<{message_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _send(settings: NoticeSettings, message: EmailMessage) -> int:
    """Send a message; return how many of its addresses the server refused, where it took others."""
    context = ssl.create_default_context()
    host, port = settings.smtp_host, settings.smtp_port
    server = (
        smtplib.SMTP_SSL(host, port, timeout=_STEP_TIMEOUT_S, context=context)
        if settings.smtp_security == "tls"
        else smtplib.SMTP(host, port, timeout=_STEP_TIMEOUT_S)
    )
    try:
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_username:
            server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
        return len(server.send_message(message))
    finally:
        with suppress(smtplib.SMTPException, OSError):  # what was taken is sent, however the farewell goes
            server.quit()


def _reason_of(error: Exception) -> str:
    """Return the error's class and code; never its text, which may quote what was sent."""
    code = getattr(error, "smtp_code", "")
    return f"{type(error).__name__} {code}".strip()
