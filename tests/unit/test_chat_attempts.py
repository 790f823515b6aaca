"""A caller who disconnects while claiming a turn can retry at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from llm_observe.v1.chat_service_pb2 import ChatTurn

from server.chat.attempts import ChatAttempts
from server.rpc.errors import TurnInProgress
from storage.request_ids import Remembered


class Keys:
    """Stores a claim at once, but replies only when ``reply`` is set."""

    def __init__(self, answer=None):
        self.answer = answer
        self.stored = asyncio.Event()
        self.reply = asyncio.Event()

    async def claim(self, request_id, fingerprint, answer):
        if self.answer is not None:
            return Remembered(fingerprint, self.answer, datetime.now(UTC))
        self.answer = answer
        await self._reply()
        return None

    async def take_over(self, request_id, seen, answer):
        self.answer = answer
        await self._reply()
        return True

    async def complete(self, request_id, answer):
        self.answer = answer

    async def _reply(self):
        self.stored.set()
        await self.reply.wait()


@pytest.fixture
def turn():
    return ChatTurn(session_id="s1", provider="demo", content="x", request_id=str(uuid4()))


@pytest.mark.parametrize("earlier", [None, {"state": "failed"}], ids=["claim", "take over"])
async def test_a_caller_cancelled_during_the_claim_can_retry(turn, earlier):
    keys: Any = Keys(earlier)
    attempts = ChatAttempts(keys, 300)
    caller = asyncio.create_task(attempts.begin(turn))
    await keys.stored.wait()
    caller.cancel()
    await asyncio.sleep(0)
    keys.reply.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert keys.answer["state"] == "failed"
    await attempts.begin(turn)


async def test_a_cancelled_caller_does_not_end_another_attempt(turn):
    keys: Any = Keys({"state": "running"})
    attempts = ChatAttempts(keys, 300)
    caller = asyncio.create_task(attempts.begin(turn))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    with pytest.raises(TurnInProgress):
        await attempts.begin(turn)


async def test_a_cancelled_claim_without_a_reply_ends_at_the_timeout(turn, monkeypatch):
    monkeypatch.setattr("server.chat.attempts._RELEASE_TIMEOUT_S", 0)
    keys: Any = Keys()
    caller = asyncio.create_task(ChatAttempts(keys, 300).begin(turn))
    await keys.stored.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
