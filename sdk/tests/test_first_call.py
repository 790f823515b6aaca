"""The first call with a provider imports the vendor's package: the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from llm_observe._adapters import base
from llm_observe._adapters.base import ChatParameters, VendorAdapter

ENOUGH_S = 60.0
"""A time-out that only a blocked event loop reaches."""


class SlowAdapter(VendorAdapter):
    """Its client takes as long to make as ``may_finish`` is not set."""

    default_model = "m"

    def __init__(self) -> None:
        super().__init__(api_key=None, base_url=None)
        self.begun, self.may_finish = threading.Event(), threading.Event()
        self.made = 0

    def _make(self, *, asynchronous: bool) -> Any:
        assert asynchronous
        self.begun.set()
        assert self.may_finish.wait(ENOUGH_S), "the event loop did not go on"
        self.made += 1
        return object()

    async def _open(self, *_: object) -> AsyncIterator[str]:
        async def chunks() -> AsyncIterator[str]:
            yield "hello"

        return chunks()

    def _text(self, chunk: str) -> str:
        return chunk


@pytest.fixture
def adapter(monkeypatch):
    monkeypatch.setattr(base, "_wrapped", lambda client: client)
    slow = SlowAdapter()
    yield slow
    slow.may_finish.set()


async def read(adapter: SlowAdapter) -> list[str]:
    return [text async for text in adapter.astream("m", [], ChatParameters())]


async def begun(adapter: SlowAdapter) -> None:
    assert await asyncio.to_thread(adapter.begun.wait, ENOUGH_S)


async def test_the_event_loop_goes_on_and_all_first_calls_share_a_client(adapter):
    calls = [asyncio.create_task(read(adapter)) for _ in range(3)]
    await begun(adapter)
    adapter.may_finish.set()
    assert await asyncio.gather(*calls, read(adapter)) == [["hello"]] * 4
    assert adapter.made == 1


async def test_a_call_that_is_cancelled_does_not_wait_for_the_import(adapter):
    call = asyncio.create_task(read(adapter))
    await begun(adapter)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not adapter.made
