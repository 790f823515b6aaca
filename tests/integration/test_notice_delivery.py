"""Notices reach receivers that fail, hang, answer twice, die and come back: at least once, in order."""

from __future__ import annotations

import asyncio
import socketserver
import ssl
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from storage import alert_messages, alerts
from storage.alert_channels import Target
from tests.support.alerts import (
    MINUTE,
    NOW,
    Clock,
    all_alerts,
    make_channel,
    make_evaluator,
    make_rule,
    make_sender,
    store_calls,
)
from tests.support.certificates import Authority
from tests.support.ports import free_port
from tests.support.receiver import running_receiver
from worker.notices.bodies import sign
from worker.notices.errors import NotDelivered
from worker.notices.http import post_json, tls_context
from worker.notices.notifier import Notifier, make_test_notice
from worker.notices.settings import NoticeSettings
from worker.tasks.send_notices import MAX_ATTEMPTS, NoticeSender, retry_delay

MESSAGES = "SELECT * FROM alert_messages ORDER BY message_id"


async def fire(database, url: str, rules: int = 1, **fields):
    """Have rules fire, with a channel at a URL; return its id."""
    channel_id = await make_channel(database, url, **fields)
    for number in range(rules):
        await make_rule(database, channel_ids=[channel_id], display_name=f"rule {number}")
    await store_calls(database, NOW - 4 * MINUTE, failed=5)
    await make_evaluator(database).evaluate(NOW)
    return channel_id


async def resolve(database) -> None:
    """Have them resolved, a quarter of an hour later."""
    for minute in range(6, 15, 3):
        await make_evaluator(database).evaluate(NOW + minute * MINUTE)
    assert {alert.state for alert in await all_alerts(database)} == {"resolved"}


def statuses(receiver) -> list[list[str]]:
    return [[alert["status"] for alert in request.json["alerts"]] for request in receiver.requests]


async def test_a_webhook_gets_one_signed_message(database, sql):
    async with running_receiver() as receiver:
        await fire(database, receiver.url, rules=3)
        sender, clock = make_sender(database, Clock()), Clock()
        assert await sender.send() == 1
        assert await sender.send() == 0
        (request,) = receiver.requests
    assert request.path == "/hook?token=s3cret"
    assert {alert["labels"]["alertname"] for alert in request.json["alerts"]} == {
        "rule 0",
        "rule 1",
        "rule 2",
    }
    assert len(request.json["alerts"]) == 3
    timestamp = int(clock.now.timestamp())
    assert request.headers["x-llm-observe-timestamp"] == str(timestamp)
    signature = sign("sign" + "ing", timestamp, request.body)
    assert request.headers["x-llm-observe-signature"] == f"v1={signature}"
    assert request.json["idempotencyKey"] == request.key
    assert (await sql.fetch(MESSAGES))[0]["state"] == "delivered"


@pytest.mark.parametrize("failure", [500, 404, 302, "close"])
async def test_a_receiver_that_fails_gets_the_same_message_again(database, sql, failure):
    async with running_receiver(failure, failure) as receiver:
        await fire(database, receiver.url)
        clock = Clock()
        sender = make_sender(database, clock)
        assert await sender.send() == 1
        assert await sender.send() == 0  # not before its time
        await sql.execute("UPDATE alert_rules SET display_name = 'renamed'")
        await make_evaluator(database).evaluate(NOW + MINUTE)
        assert (await all_alerts(database))[0].labels["alertname"] == "renamed"
        for attempt in (1, 2):
            clock.now += retry_delay(attempt)
            assert await sender.send() == 1
        assert len(receiver.requests) == 3
        assert len({request.key for request in receiver.requests}) == 1
        assert len({request.body for request in receiver.requests}) == 1
    (message,) = await sql.fetch(MESSAGES)
    assert (message["state"], message["attempt_count"], message["last_error"]) == ("delivered", 3, "")


@pytest.mark.parametrize("answer", ["twice", "endless", 204])
async def test_an_answer_is_read_no_further_than_its_head(database, sql, answer):
    async with running_receiver(answer) as receiver:
        await fire(database, receiver.url)
        await make_sender(database, Clock()).send()
        assert len(receiver.requests) == 1
    assert (await sql.fetch(MESSAGES))[0]["state"] == "delivered"


async def test_a_receiver_that_hangs_is_given_up_in_time():
    async with running_receiver("hang") as receiver:
        with pytest.raises(NotDelivered, match=r"no answer within 0\.2 s"):
            await post_json(receiver.url, b"{}", {}, allow_private=True, timeout_s=0.2)


async def test_a_receiver_that_hangs_holds_up_no_other(database, sql, monkeypatch):
    async with running_receiver("hang") as hanging, running_receiver() as other:
        first = await make_channel(database, hanging.url)
        second = await make_channel(database, other.url)
        await make_rule(database, channel_ids=[first, second])
        await store_calls(database, NOW - 4 * MINUTE, failed=5)
        await make_evaluator(database).evaluate(NOW)
        sending = asyncio.create_task(make_sender(database, Clock()).send())
        while not other.requests:
            await asyncio.sleep(0.01)
        assert not sending.done()
        # Nor does it hold a lock: its channel can be changed meanwhile.
        await sql.execute("UPDATE alert_channels SET display_name = 'renamed'")
        sending.cancel()
        await asyncio.wait({sending})


@pytest.fixture
def tls_of(tmp_path, monkeypatch):
    """Return a function that makes the TLS of a receiver; its authority is trusted."""
    authority = Authority(tmp_path, "authority")
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca_file)
    tls_context.cache_clear()

    def make(name: str, signer: Authority = authority) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*signer.sign(name))
        return context

    yield make
    tls_context.cache_clear()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_is_checked_against_the_name_and_not_the_address(tls_of, host):
    async with running_receiver(tls=tls_of("receiver")) as receiver:
        await post_json(f"https://{host}:{receiver.port}/", b"{}", {}, allow_private=True)
        assert receiver.requests[0].headers["host"] == f"{host}:{receiver.port}"


async def test_other_certificates_are_refused(tls_of, tmp_path, monkeypatch):
    async def get_local(*args, **kwargs):
        return [(2, 1, 6, "", ("127.0.0.1", 0))]

    stranger = Authority(tmp_path, "stranger")
    async with running_receiver(tls=tls_of("receiver", stranger)) as receiver:
        with pytest.raises(NotDelivered, match="connection failed"):
            await post_json(f"https://localhost:{receiver.port}/", b"{}", {}, allow_private=True)
    async with running_receiver(tls=tls_of("another")) as receiver:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", get_local)
        with pytest.raises(NotDelivered, match="connection failed"):  # of another name
            await post_json(f"https://example.com:{receiver.port}/", b"{}", {}, allow_private=True)
    assert receiver.requests == []


async def test_redirects_are_not_followed(database, sql):
    async with running_receiver(302) as receiver:
        await fire(database, receiver.url)
        await make_sender(database, Clock()).send()
        assert len(receiver.requests) == 1
    assert (await sql.fetch(MESSAGES))[0]["last_error"] == "the receiver answered 302"


async def test_firing_comes_before_resolved_whatever_fails(database):
    async with running_receiver(500, "close") as receiver:
        await fire(database, receiver.url)
        clock = Clock()
        sender = make_sender(database, clock)
        await sender.send()
        await resolve(database)
        for minute in range(10):
            clock.now = NOW + (15 + minute) * MINUTE
            await sender.send()
        assert statuses(receiver) == [["firing"], ["firing"], ["firing"], ["resolved"]]
        assert len({request.key for request in receiver.requests}) == 2


async def test_a_receiver_that_was_away_gets_everything_once_it_is_back(database):
    port = free_port()
    await fire(database, f"http://127.0.0.1:{port}/")
    clock = Clock()
    sender = make_sender(database, clock)
    await sender.send()
    await resolve(database)
    clock.now = NOW + 20 * MINUTE
    await sender.send()
    async with running_receiver(port=port) as receiver:
        for minute in range(30, 33):
            clock.now = NOW + minute * MINUTE
            await sender.send()
        assert statuses(receiver) == [["firing"], ["resolved"]]


async def test_a_channel_gets_at_most_one_message_a_minute(database):
    async with running_receiver() as receiver:
        channel_id = await fire(database, receiver.url)
        clock = Clock()
        sender = make_sender(database, clock)
        await sender.send()
        await make_rule(database, channel_ids=[channel_id], display_name="another")
        await make_evaluator(database).evaluate(NOW + timedelta(seconds=20))
        await sender.send()
        assert len(receiver.requests) == 1
        clock.now += MINUTE
        await sender.send()
        assert len(receiver.requests) == 2


async def test_two_senders_at_once_send_each_message_once(database):
    async with running_receiver() as receiver:
        for _ in range(5):
            await fire(database, receiver.url)
        clock = Clock()
        await asyncio.gather(*(make_sender(database, clock).send() for _ in range(4)))
        assert len({request.key for request in receiver.requests}) == len(receiver.requests) == 5


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_sender_that_dies_before_it_has_noted_the_end_sends_again(database, moment):
    """It dies after the claim was committed: before the request, or after the receiver has answered."""
    async with running_receiver() as receiver:
        await fire(database, receiver.url)
        clock = Clock()

        class Dying(Notifier):
            async def send(self, *args) -> None:
                if moment == "after":
                    await super().send(*args)
                raise Killed

        dying = NoticeSender(database, Dying(NoticeSettings(allow_private=True), clock), clock)
        with pytest.raises(Killed):
            await dying.send()
        sender = make_sender(database, clock)
        assert await sender.send() == 0  # the lease holds
        clock.now += 2 * MINUTE
        assert await sender.send() == 1
        assert len(receiver.requests) == (1 if moment == "before" else 2)
        assert len({request.key for request in receiver.requests}) == 1
        await resolve(database)
        clock.now += 20 * MINUTE
        await sender.send()
        assert statuses(receiver)[-1] == ["resolved"]


async def test_a_sender_that_was_slow_does_not_undo_what_another_has_noted(database, sql):
    await fire(database, "http://127.0.0.1:1/")
    await alert_messages.make_messages(database, now=NOW)
    slow = await alert_messages.claim_message(database, now=NOW, lease_end=NOW + MINUTE)
    other = await alert_messages.claim_message(database, now=NOW + 2 * MINUTE, lease_end=NOW + 3 * MINUTE)
    assert slow is not None
    assert other is not None
    await alert_messages.settle_message(database, other, "delivered", now=NOW)
    await alert_messages.settle_message(database, slow, "undelivered", now=NOW, error="late")
    (message,) = await sql.fetch(MESSAGES)
    assert (message["state"], message["last_error"]) == ("delivered", "")


async def test_what_cannot_be_delivered_ends_and_is_shown(database, sql):
    await fire(database, "http://127.0.0.1:1/")
    clock = Clock()
    sender = make_sender(database, clock)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert await sender.send() == 1
        clock.now += retry_delay(attempt)
    assert await sender.send() == 0
    (delivery,) = await alerts.list_deliveries(database, await all_alerts(database))
    assert (delivery.state, delivery.attempt_count) == ("undelivered", MAX_ATTEMPTS)
    assert delivery.last_error == "the connection failed (ConnectError)"
    assert await alert_messages.count_undelivered(database, since=NOW) == 1
    # What comes next is sent all the same.
    async with running_receiver() as receiver:
        await sql.execute("UPDATE alert_channels SET url = $1", receiver.url)
        await resolve(database)
        clock.now += 20 * MINUTE
        await sender.send()
        assert statuses(receiver) == [["resolved"]]


async def test_a_private_address_is_refused_unless_allowed(database, sql):
    async with running_receiver() as receiver:
        await fire(database, receiver.url)
        clock = Clock()
        await NoticeSender(database, Notifier(NoticeSettings(), clock), clock).send()
        assert receiver.requests == []
    assert (await sql.fetch(MESSAGES))[0]["last_error"] == "the URL must begin with https://"


async def test_slack_gets_text_and_blocks(database):
    async with running_receiver() as receiver:
        await fire(database, receiver.url, type="slack")
        await make_sender(database, Clock()).send()
        (request,) = receiver.requests
    assert request.json["text"] == "[firing] rule 0 (default)"
    assert "error rate is 100 %" in request.json["blocks"][0]["text"]["text"]
    assert "x-llm-observe-signature" not in request.headers
    assert request.key


class MailServer(socketserver.ThreadingTCPServer):
    """An SMTP server that keeps what it is sent."""

    daemon_threads = True
    allow_reuse_address = True
    mails: list[bytes]
    refused: tuple[bytes, ...] = ()
    """What the addresses begin with that it refuses."""


class MailHandler(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 here")
        for line in self.rfile:
            word = line.split()[0].upper()
            if word == b"DATA":
                self._say("354 go on")
                mail = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append(mail)
            if word == b"RCPT" and any(b"<" + each in line for each in self.server.refused):
                self._say("550 no such person")
            else:
                self._say("250 fine")  # to QUIT, too, which is wrong and does no harm
            if word == b"QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@pytest.fixture
def mail_server():
    with MailServer(("127.0.0.1", 0), MailHandler) as server:
        server.mails = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def send_email(server: MailServer, channel: dict[str, Any], **settings) -> None:
    target = Target(
        channel_id=UUID(int=1),
        project_id="default",
        display_name="x",
        type="email",
        url="",
        signing_secret="",
        **channel,
    )
    values = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.server_address[1],
        "smtp_security": "none",
        **settings,
    }
    await Notifier(NoticeSettings(**values)).send(UUID(int=2), target, [make_test_notice("default", NOW)])


async def test_email(mail_server):
    await send_email(mail_server, {"email_addresses": ["ops@example.com", "boss@example.com"]})
    (mail,) = mail_server.mails
    assert b"To: ops@example.com, boss@example.com" in mail
    assert b"Subject: [firing] Test (default)" in mail
    assert b"This is a test of the channel" in mail


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"smtp_host": ""}, "no SMTP server is set"),
        ({"smtp_port": 1}, "ConnectionRefusedError"),
        (
            {"smtp_security": "starttls"},
            "SMTPNotSupportedError",
        ),  # it does not offer it: nothing is sent in the clear
    ],
)
async def test_email_that_cannot_be_sent(mail_server, settings, reason):
    with pytest.raises(NotDelivered, match=reason):
        await send_email(mail_server, {"email_addresses": ["ops@example.com"]}, **settings)
    assert mail_server.mails == []


async def test_email_that_is_refused(mail_server):
    mail_server.refused = (b"ops",)
    with pytest.raises(NotDelivered, match="SMTPRecipientsRefused") as caught:
        await send_email(mail_server, {"email_addresses": ["ops@example.com"]})
    assert "ops@example.com" not in str(caught.value)


async def test_email_that_some_addresses_are_refused_is_undelivered_and_not_sent_again(
    mail_server, database, sql
):
    mail_server.refused = (b"gone", b"typo")
    addresses = ["ops@example.com", "gone@example.com", "typo@example.com"]
    await fire(database, "", type="email", email_addresses=addresses)
    settings = NoticeSettings(
        smtp_host="127.0.0.1", smtp_port=mail_server.server_address[1], smtp_security="none"
    )
    clock = Clock()
    sender = NoticeSender(database, Notifier(settings, clock), clock)
    assert await sender.send() == 1
    clock.now += timedelta(days=1)
    assert await sender.send() == 0
    assert len(mail_server.mails) == 1
    (message,) = await sql.fetch(MESSAGES)
    assert message["state"] == "undelivered"
    assert "refused 2 of 3 addresses" in message["last_error"]
    assert "example.com" not in message["last_error"]
