"""Redis URLs are parsed, and an invalid one is refused without being shown."""

from __future__ import annotations

import pytest
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.sentinel import SentinelConnectionPool

from telemetry.settings import SettingsError, load_settings
from worker.queue.redis_url import check_url, make_pool
from worker.queue.settings import QueueSettings


def test_a_single_redis_uses_a_blocking_pool():
    pool = make_pool("redis://:pass@localhost:6380/2", max_connections=3, timeout=1)
    assert isinstance(pool, BlockingConnectionPool)
    assert pool.connection_kwargs["port"] == 6380


def test_a_sentinel_url_names_the_master():
    url = "redis+sentinel://app:p%40ss@one:26380,two,[::1]:7/main/3?sentinel_password=other"
    pool = make_pool(url, max_connections=3, timeout=1, socket_timeout=2)
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "main"
    options = pool.connection_kwargs
    assert (options["db"], options["username"], options["password"], options["socket_timeout"]) == (
        3,
        "app",
        "p@ss",
        2,
    )
    sentinels = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(each["host"], each["port"]) for each in sentinels] == [
        ("one", 26380),
        ("two", 26379),
        ("::1", 7),
    ]
    assert {each["password"] for each in sentinels} == {"other"}


@pytest.mark.parametrize(
    "url",
    [
        "http://:topsecret@host/0",
        "redis+sentinel://:topsecret@/main",
        "redis+sentinel://:topsecret@host:1",
        "redis+sentinel://:topsecret@host:port/main",
        "redis+sentinel://:topsecret@host:1/main/x",
    ],
)
def test_an_invalid_url_is_refused_without_showing_it(url, monkeypatch):
    with pytest.raises(ValueError, match="must"):
        check_url(url)
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SettingsError, match="REDIS_URL") as caught:
        load_settings(QueueSettings)
    assert "topsecret" not in str(caught.value)


def test_tls_files_are_for_the_sentinels_and_for_the_master():
    url = "rediss+sentinel://one/main?ssl_ca_certs=%2Fca.pem&ssl_certfile=c.pem&ssl_keyfile=k.pem"
    pool = make_pool(url, max_connections=3, timeout=1)
    (sentinel,) = pool.sentinel_manager.sentinels  # type: ignore[attr-defined] # of a sentinel's pool
    for options in (pool.connection_kwargs, sentinel.connection_pool.connection_kwargs):
        assert (options["ssl_ca_certs"], options["ssl_certfile"], options["ssl_keyfile"]) == (
            "/ca.pem",
            "c.pem",
            "k.pem",
        )
