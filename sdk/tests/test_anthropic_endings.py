"""How streams of Anthropic end, however they are read, and events that the client does not know."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anthropic
import pytest
from llm_observe.v1.log_pb2 import OUTCOME_ERROR, OUTCOME_SUCCESS
from log_assertions import known
from openai_wire import QUESTION
from test_endpoint_endings import Event, arriving, entered, read, settled
from test_endpoints import make, make_async
from vendor_wire import ANTHROPIC_EVENTS

ASKED: Any = {"model": "m", "max_tokens": 5, "messages": QUESTION}


async def read_plain(messages: Any) -> None:
    await read(await settled(messages.create(**ASKED, stream=True)))


async def read_raw(messages: Any) -> None:
    raw = await settled(messages.with_raw_response.create(**ASKED, stream=True))
    await read(await settled(raw.parse()))


async def read_bytes(messages: Any) -> None:
    manager = messages.with_streaming_response.create(**ASKED, stream=True)
    await entered(manager, lambda answer: answer.iter_bytes())


async def read_by_helper(messages: Any) -> None:
    await entered(messages.stream(**ASKED), lambda events: events)


DOORS: dict[str, Callable[[Any], Any]] = {
    "messages": lambda client: client.messages,
    "beta.messages": lambda client: client.beta.messages,
}
BEGUN = ANTHROPIC_EVENTS[:4]
ERROR: Event = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
NEW: list[Event] = [
    {"type": "new_event", "part": {"x": 1}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "new_block", "x": 1}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "new_delta", "x": 1}},
    {"type": "content_block_stop", "index": 1},
]
ENDS: dict[str, tuple[list[Event], int, str]] = {
    "complete": (ANTHROPIC_EVENTS, OUTCOME_SUCCESS, ""),
    "cut": (BEGUN, OUTCOME_ERROR, "stream_incomplete"),
    "an error": ([*BEGUN, ERROR], OUTCOME_ERROR, "overloaded_error"),
    "unknown events": ([*ANTHROPIC_EVENTS[:-2], *NEW, *ANTHROPIC_EVENTS[-2:]], OUTCOME_SUCCESS, ""),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("read_it", [read_plain, read_raw, read_bytes, read_by_helper])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_stream_ends(recorder, door, read_it, end, asynchronous):
    events, outcome, code = ENDS[end]
    kind = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
    client = (make_async if asynchronous else make)(arriving(events), kind=kind)
    with suppress(anthropic.APIError):
        await read_it(DOORS[door](client))
    log = recorder.only
    assert (log.outcome, log.error_code, log.provider_response_id) == (outcome, code, "msg_1")
    assert log.output_preview.startswith("all ")
    if outcome == OUTCOME_SUCCESS:
        counts = known(log, "input_token_count", "output_token_count", "cache_write_1h_token_count")
        assert counts == (11, 5, 1)
