"""Traces that share a response's id are remembered together, as long as they are few."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio

from codec.otlp.folding import Kind, Node
from server.otlp.fold_state import FoldState

SHARED_ID = "chatcmpl-" + "0" * 24
MOST = 64


@pytest.fixture
async def state(queue_settings):
    client = redis.asyncio.Redis.from_url(queue_settings.redis_url.get_secret_value())
    broker: Any = SimpleNamespace(redis=client, queue_name=queue_settings.queue_name)
    yield FoldState(broker)
    await client.aclose()


def call(number):
    node = Node(f"{number:032x}", f"{number:016x}", "", Kind.CALL, "chat", 0, 1, response_id=SHARED_ID)
    return SimpleNamespace(node=node, view=None)


async def test_traces_are_tied_by_a_response_that_few_share(state):
    known = [await state.add("default", [call(number)]) for number in range(1, MOST)]
    assert [len(each.nodes) for each in known] == list(range(1, MOST))


async def test_an_id_that_a_test_server_gives_all_its_answers_ties_nothing(state):
    for number in range(1, MOST):
        await state.add("default", [call(number)])
    beyond = [await state.add("default", [call(MOST + number)]) for number in range(3)]
    assert [len(each.nodes) for each in beyond] == [1, 1, 1]
