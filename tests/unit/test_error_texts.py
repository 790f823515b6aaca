"""What a client reads of a wrong request: a field, and a sentence that says what it must be."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from llm_observe.v1.chat_service_pb2 import ChatParameters, ChatTurn
from llm_observe.v1.filter_pb2 import TimeRange
from llm_observe.v1.ingest_service_pb2 import ProducerReport

from server.chat.checks import check_turn
from server.ingest.producer import check_producer
from server.rpc.errors import BatchTooLarge, InvalidField, PermissionDenied, ProviderUnknown, RateLimited
from server.rpc.times import parse_window

PRODUCER = "00000000-0000-4000-8000-000000000001"


def turn(**fields) -> ChatTurn:
    return ChatTurn(**{"session_id": "s", "provider": "demo", "content": "hello", **fields})


def parameters(**fields) -> ChatTurn:
    return turn(parameters=ChatParameters(**fields))


TURNS = {
    "turn.session_id: must be 1 to 200 characters": turn(session_id=""),
    "turn.provider: must be 1 to 64 characters": turn(provider="x" * 65),
    "turn.model: must be at most 200 characters": turn(model="x" * 201),
    "turn.content: must be 1 to 100000 characters": turn(content="x" * 100_001),
    "turn.user_id: must be at most 200 characters": turn(user_id="x" * 201),
    "turn.conversation_id: must be a UUID": turn(conversation_id="x"),
    "turn.metadata: must have at most 50 pairs": turn(metadata={str(number): "" for number in range(51)}),
    "turn.metadata: must be 1 to 64 characters": turn(metadata={"x" * 65: ""}),
    "turn.metadata: must be at most 500 characters": turn(metadata={"x": "x" * 501}),
    "turn.parameters.temperature: must be between 0 and 2": parameters(temperature=2.1),
    "turn.parameters.top_p: must be greater than 0 and at most 1": parameters(top_p=0),
    "turn.parameters.max_output_tokens: must be between 1 and 1000000": parameters(max_output_tokens=0),
    "turn.parameters.stop_sequences: must have at most 4 entries": parameters(stop_sequences="abcde"),
    "turn.parameters.stop_sequences: must be 1 to 100 characters": parameters(stop_sequences=[""]),
}


@pytest.mark.parametrize("text", TURNS)
def test_a_wrong_turn(text):
    with pytest.raises(InvalidField) as caught:
        check_turn(TURNS[text])
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("report", "text"),
    [
        ({"batch_number": 0}, "producer.batch_number: must be at least 1"),
        (
            {"batch_number": 1, "dropped_counts": {str(number): 1 for number in range(51)}},
            "producer.dropped_counts: must have at most 50 reasons",
        ),
    ],
)
def test_a_wrong_report(report, text):
    with pytest.raises(InvalidField) as caught:
        check_producer(ProducerReport(producer_id=PRODUCER, **report))
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (0, 2_000_000_000, "time_range.start_time: must be a timestamp from 1972 to 9998"),
        (1_000_000_000, 2_000_000_000, "time_range: must not be longer than 366 days"),
        (2_000_000_000, 1_000_000_000, "time_range.end_time: must be after start_time"),
    ],
)
def test_a_wrong_time_range(start, end, text):
    with pytest.raises(InvalidField) as caught:
        parse_window(TimeRange(start_time=Timestamp(seconds=start), end_time=Timestamp(seconds=end)))
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionDenied(["admin", "read"]), "the API key lacks the required role: admin or read"),
        (
            RateLimited(30, 60, retry_after_s=1),
            "rate limit of 30 per 60 seconds exceeded; nothing was accepted",
        ),
        (ProviderUnknown(), "provider: must be a provider that ListModels returns"),
        (
            BatchTooLarge(limit=500, actual=501, unit="logs"),
            "logs: must contain at most 500 logs, not 501",
        ),
    ],
)
def test_an_error_names_cause_and_fix(error, text):
    assert error.message == text
