"""Real servers for clients in other languages: an open one, one behind keys and TLS, and two that refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from server.rpc.errors import RateLimited
from server.rpc.rate_limit import RateLimiter
from tests.support.certificates import Authority
from tests.support.keys import make_key
from tests.support.server import running_server

_BUSY, _REFUSING = 1_001, 1_002
"""The limits by which the servers that refuse are known."""
_BUSY_DELAY_S = 0.2
_REFUSING_DELAY_S = 3600.0


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy server refuse every other batch, beginning with the first, and a refusing one all."""
    take, calls = RateLimiter.take, 0

    async def refuse(self: RateLimiter, peer: str, count: int) -> None:
        nonlocal calls
        if self.limit == _REFUSING:
            raise RateLimited(self.limit, 60, retry_after_s=_REFUSING_DELAY_S)
        if self.limit != _BUSY:
            await take(self, peer, count)
            return
        calls += 1
        if calls % 2:
            raise RateLimited(self.limit, 60, retry_after_s=_BUSY_DELAY_S)

    monkeypatch.setattr(RateLimiter, "take", refuse)


@pytest.fixture
async def servers(
    request, refusals, worker, database, database_url, queue_settings, tmp_path
) -> AsyncIterator[dict[str, str]]:
    """The environment of a client of the servers that the parameter names.

    ``open`` ones require no key, and two more refuse; ``tls`` requires one, over TLS.
    """
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> str:
            server = await stack.enter_async_context(running_server(database_url, queue_settings, **settings))
            return f"127.0.0.1:{server.port}"

        if request.param == "open":
            yield {
                "LLM_OBSERVE_ENDPOINT": await start(),
                "LLM_OBSERVE_TEST_BUSY_ENDPOINT": await start(ingest_logs_per_minute=_BUSY),
                "LLM_OBSERVE_TEST_REFUSING_ENDPOINT": await start(ingest_logs_per_minute=_REFUSING),
            }
            return
        env = {"LLM_OBSERVE_API_KEY": await make_key(database, "ingest", "read", "chat", project="acme")}
        authority = Authority(tmp_path, "authority")
        certificate, key = authority.sign("server")
        endpoint = await start(require_keys=True, tls_cert_file=certificate, tls_key_file=key)
        yield {**env, "LLM_OBSERVE_ENDPOINT": endpoint, "LLM_OBSERVE_TLS_CA_FILE": authority.ca_file}
