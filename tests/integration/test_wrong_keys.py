"""An address may try a number of wrong keys a minute; keys that were good lately pass all the same."""

from __future__ import annotations

import grpc
import pytest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from server.rpc import key_attempts
from server.rpc.errors import RateLimited
from server.rpc.key_attempts import KeyAttempts
from tests.support.keys import make_key
from tests.support.logs import make_log, make_request
from tests.support.rpc import bearer, info_of, stub
from tests.support.server import running_server


async def test_wrong_keys_are_limited_by_address(database, database_url, queue_settings):
    good = await make_key(database, "ingest")
    async with (
        running_server(database_url, queue_settings, require_keys=True, wrong_keys_per_minute=5) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        ingest = stub(IngestServiceStub, channel)
        await ingest.IngestLogs(make_request(make_log()), metadata=bearer(good))
        reasons = []
        for number in range(20):  # within two minutes
            wrong = "llmo_" + f"{number:08}" + "x" * 43
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ingest.IngestLogs(make_request(make_log()), metadata=bearer(wrong))
            reasons.append(info_of(caught.value)[0])
        assert reasons[:5] == ["UNAUTHENTICATED"] * 5
        assert reasons.count("UNAUTHENTICATED") <= 10
        # One that was good lately is asked for all the same.
        await ingest.IngestLogs(make_request(make_log()), metadata=bearer(good))


def test_wrong_keys_are_counted_by_the_minute():
    now_s = 120.0
    attempts = KeyAttempts(2, lambda: now_s)
    for _ in range(2):
        attempts.check("a")
        attempts.count("a")
    attempts.check("b")
    with pytest.raises(RateLimited) as caught:
        attempts.check("a")
    assert caught.value.retry_after_s == 60
    now_s += 60
    attempts.check("a")


def test_any_number_of_wrong_keys_may_be_allowed():
    attempts = KeyAttempts(0)
    for _ in range(10):
        attempts.count("a")
    attempts.check("a")


def test_the_addresses_that_are_counted_are_bounded():
    attempts = KeyAttempts(1, lambda: 0.0)
    for number in range(key_attempts._MAX_PEERS + 10):
        attempts.count(str(number))
    assert len(attempts._failures) == key_attempts._MAX_PEERS


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("ipv6:%5B2001:db8::1%5D", "ipv6:%5B2001:db8::ffff:2%5D", True),
        ("ipv6:[2001:db8::1]", "ipv6:%5B2001:db8::2%5D", True),
        ("ipv6:%5B2001:db8::1%5D", "ipv6:%5B2001:db8:0:1::1%5D", False),
        ("ipv6:%5B::ffff:192.0.2.1%5D", "ipv4:192.0.2.1", True),
        ("ipv6:%5B::ffff:192.0.2.1%5D", "ipv6:%5B::ffff:192.0.2.2%5D", False),
        ("ipv4:192.0.2.1", "ipv4:192.0.2.2", False),
        ("unix:", "unix:", True),
        ("ipv6:odd", "ipv6:other", False),
    ],
)
def test_the_addresses_of_one_host_count_together(first, second, is_same):
    attempts = KeyAttempts(1, lambda: 0.0)
    attempts.count(first)
    if is_same:
        with pytest.raises(RateLimited):
            attempts.check(second)
    else:
        attempts.check(second)
