"""A response in the background is one call and one log, from its creation until it has ended."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from llm_observe import _background, _stream_ends
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from log_assertions import known
from openai_wire import make_client, sse
from test_odd_answers import response

COUNTS = ("input_token_count", "output_token_count", "total_token_count")


@pytest.fixture(autouse=True)
def forget_calls():
    yield
    _background.take_all()


def state(status: str, **members: Any) -> dict[str, Any]:
    ended: dict[str, Any] = (
        {"output": [], "usage": None} if status in {"queued", "in_progress", "cancelled"} else {}
    )
    return response(**{"status": status, "background": True, "incomplete_details": None, **ended, **members})


def event(kind: str, number: int, **members: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "sequence_number": number, **members}


class Server:
    """Answers with one state, or one stream of events, after the other."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def __call__(self, _request: httpx2.Request) -> httpx2.Response:
        answer = self._answers.pop(0)
        if isinstance(answer, int):
            return httpx2.Response(answer, json={"error": {"message": "no", "code": "no"}})
        return sse(answer) if isinstance(answer, list) else httpx2.Response(200, json=answer)


def begin(*answers: Any, **options: Any) -> tuple[Any, Any]:
    client, wire = make_client(None)
    server = Server(*answers)
    wire.answer = server
    wire.__class__ = _AnyRequest
    return client, client.responses.create(model="m", input="hi", background=True, **options)


class _AnyRequest(type(make_client(None)[1])):  # type: ignore[misc] # the wire's class
    """Takes requests without a body."""

    def __call__(self, request: httpx2.Request) -> Any:
        return self.answer(request)


FAILED = {"error": {"code": "server_error", "message": "we broke"}}
ENDS: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "completed": (state("completed"), OUTCOME_SUCCESS, "completed", ""),
    "incomplete": (
        state("incomplete", incomplete_details={"reason": "max_output_tokens"}),
        OUTCOME_SUCCESS,
        "max_output_tokens",
        "",
    ),
    "failed": (state("failed", **FAILED), OUTCOME_ERROR, "failed", "server_error"),
    "cancelled": (state("cancelled"), OUTCOME_CANCELLED, "cancelled", ""),
}


@pytest.mark.parametrize("polls", [0, 2])
@pytest.mark.parametrize("end", ENDS)
def test_polling_until_the_end_completes_the_log(recorder, end, polls):
    last, outcome, reason, code = ENDS[end]
    client, answer = begin(state("queued"), *[state("in_progress")] * polls, last)
    assert recorder.calls == []
    for _ in range(polls + 1):
        answer = client.responses.retrieve(answer.id)
    log = recorder.only
    assert (log.outcome, log.finish_reason, log.error_code) == (outcome, reason, code)
    assert (log.input_preview, log.model) == ("hi", "m")
    if end == "completed":
        assert known(log, *COUNTS) == (11, 5, 16)
        assert log.output_preview.startswith("all is well")


def test_a_poll_that_fails_ends_nothing(recorder):
    client, answer = begin(state("queued"), 500, state("completed"))
    with pytest.raises(openai.InternalServerError):
        client.responses.retrieve(answer.id)
    assert recorder.calls == []
    client.responses.retrieve(answer.id)
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_SUCCESS, "")


def test_cancelling_a_response_ends_its_call(recorder):
    client, answer = begin(state("queued"), state("cancelled"))
    client.responses.cancel(answer.id)
    assert recorder.only.outcome == OUTCOME_CANCELLED


TEXT = {"item_id": "m", "output_index": 0, "content_index": 0, "logprobs": []}
HEAD = [event("created", 0, response=state("queued")), event("output_text.delta", 1, delta="all ", **TEXT)]
TAIL = [
    event("output_text.delta", 2, delta="is well", **TEXT),
    event("completed", 3, response=state("completed")),
]


@pytest.mark.parametrize("resumed", [TAIL, [*HEAD, *TAIL]], ids=["where it was left", "from its start"])
def test_a_stream_that_is_resumed_completes_the_log(recorder, resumed):
    client, stream = begin([*HEAD, *TAIL], resumed, stream=True)
    next(stream), next(stream)
    stream.close()
    assert recorder.calls == []
    assert len(list(client.responses.retrieve("r", stream=True))) == len(resumed)
    log = recorder.only
    assert (log.outcome, log.output_preview) == (OUTCOME_SUCCESS, "all is well")
    assert known(log, *COUNTS) == (11, 5, 16)


def test_a_stream_read_to_the_end_is_an_ordinary_one(recorder):
    _, stream = begin([*HEAD, *TAIL], stream=True)
    list(stream)
    assert (recorder.only.outcome, recorder.only.output_preview) == (OUTCOME_SUCCESS, "all is well")


def test_a_response_that_nobody_asks_for_is_cancelled_at_exit(recorder):
    begin(state("queued"))
    _stream_ends.end_open_calls()
    assert (recorder.only.outcome, recorder.only.finish_reason) == (OUTCOME_CANCELLED, "queued")


def test_the_number_of_responses_that_are_waited_for_is_bounded(recorder, monkeypatch):
    monkeypatch.setattr(_background, "_MAX_CALLS", 2)
    for number in range(3):
        begin({**state("queued"), "id": f"r{number}"})
    assert recorder.only.provider_response_id == "r0"


def test_other_responses_are_not_recorded(recorder):
    client, _ = begin(state("completed"), state("completed"))
    client.responses.retrieve("another")
    assert len(recorder.calls) == 1


def test_an_error_on_creation_is_one(recorder):
    with pytest.raises(openai.InternalServerError):
        begin(500)
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_ERROR, "no")
