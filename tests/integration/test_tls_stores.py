"""TLS to Postgres and Redis, by their URLs' own parameters; what does not fit is refused."""

from __future__ import annotations

from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

import pytest
from redis.exceptions import RedisError

from storage.errors import StorageError
from storage.pool import Database
from storage.settings import StorageSettings
from storage.sql import Query
from tests.support.certificates import Authority
from tests.support.relay import relayed
from tests.support.tls_relay import TlsRelay, server_context
from worker.queue.broker import LogBroker

ONE = Query("one", "SELECT 1", ())


@pytest.fixture
def authorities(tmp_path):
    (tmp_path / "other").mkdir()
    return Authority(tmp_path, "authority"), Authority(tmp_path / "other", "stranger")


@asynccontextmanager
async def behind_tls(url: str, pair: tuple[str, str], client_ca: str = "", *, on_request: bool = False):
    """Yield the URL of the same store behind TLS."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    relay = TlsRelay(parts.hostname, parts.port, server_context(pair, client_ca), on_request=on_request)
    async with relay.running():
        yield relayed(url, relay)


async def ask_postgres(url: str) -> None:
    database = Database(StorageSettings(database_url=url))
    try:
        async with database.connection() as connection:
            assert await connection.fetch_one(ONE) is not None
    finally:
        await database.close()


async def ask_redis(queue_settings, url: str) -> None:
    broker = LogBroker(queue_settings.model_copy(update={"redis_url": type(queue_settings.redis_url)(url)}))
    try:
        assert await broker.redis.ping()
    finally:
        await broker.shutdown()


def pair_of(authority: Authority, wrong: str) -> tuple[str, str]:
    """Return a certificate and its key, wrong in one way if that is of the certificate."""
    host = "db.example" if wrong == "host" else "localhost"
    return authority.sign("server", host=host, expired=wrong == "expired")


def parameters(**values: str) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())


async def test_postgres_over_tls(database_url, authorities):
    ours, _ = authorities
    async with behind_tls(database_url, ours.sign("server"), on_request=True) as url:
        await ask_postgres(f"{url}?{parameters(sslmode='verify-full', sslrootcert=ours.ca_file)}")
        await ask_postgres(f"{url}?sslmode=require")


async def test_postgres_with_a_client_certificate(database_url, authorities):
    ours, _ = authorities
    certificate, key = ours.sign("client")
    verified = parameters(sslmode="verify-full", sslrootcert=ours.ca_file)
    async with behind_tls(database_url, ours.sign("server"), ours.ca_file, on_request=True) as url:
        await ask_postgres(f"{url}?{verified}&{parameters(sslcert=certificate, sslkey=key)}")
        with pytest.raises(StorageError):
            await ask_postgres(f"{url}?{verified}")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("authority", "unable to get local issuer certificate"),
        ("host", "mismatch"),
        ("expired", "expired"),
        ("no TLS", "ConnectionError"),
    ],
)
async def test_postgres_that_is_not_who_it_should_be_is_refused(database_url, authorities, wrong, said):
    ours, stranger = authorities
    ca_file = stranger.ca_file if wrong == "authority" else ours.ca_file
    pair = pair_of(ours, wrong)
    async with behind_tls(database_url, pair, on_request=True) as url:
        asked = database_url if wrong == "no TLS" else url
        with pytest.raises(StorageError, match=said):
            await ask_postgres(f"{asked}?{parameters(sslmode='verify-full', sslrootcert=ca_file)}")


async def test_redis_over_tls(queue_settings, authorities):
    ours, _ = authorities
    url = queue_settings.redis_url.get_secret_value()
    async with behind_tls(url, ours.sign("server")) as secured:
        trust = parameters(ssl_ca_certs=ours.ca_file)
        await ask_redis(queue_settings, f"{secured.replace('redis:', 'rediss:')}?{trust}")


async def test_redis_with_a_client_certificate(queue_settings, authorities):
    ours, _ = authorities
    certificate, key = ours.sign("client")
    url = queue_settings.redis_url.get_secret_value()
    async with behind_tls(url, ours.sign("server"), ours.ca_file) as secured:
        trusting = f"{secured.replace('redis:', 'rediss:')}?{parameters(ssl_ca_certs=ours.ca_file)}"
        await ask_redis(queue_settings, f"{trusting}&{parameters(ssl_certfile=certificate, ssl_keyfile=key)}")
        with pytest.raises(RedisError):
            await ask_redis(queue_settings, trusting)


@pytest.mark.parametrize("wrong", ["authority", "host", "expired", "no TLS", "plain to TLS"])
async def test_redis_that_is_not_who_it_should_be_is_refused(queue_settings, authorities, wrong):
    ours, stranger = authorities
    ca_file = stranger.ca_file if wrong == "authority" else ours.ca_file
    pair = pair_of(ours, wrong)
    url = queue_settings.redis_url.get_secret_value()
    async with behind_tls(url, pair) as secured:
        asked = url if wrong == "no TLS" else secured
        scheme = "redis:" if wrong == "plain to TLS" else "rediss:"
        trust = "" if wrong == "plain to TLS" else f"?{parameters(ssl_ca_certs=ca_file)}"
        with pytest.raises(RedisError):  # within the time-outs of connections
            await ask_redis(queue_settings, f"{asked.replace('redis:', scheme)}{trust}")
