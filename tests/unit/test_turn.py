"""A turn is stored once however it ends, and its reader learns how."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from llm_observe import ChatResult
from llm_observe.v1.chat_service_pb2 import ChatTurn
from llm_observe.v1.error_reason_pb2 import ErrorReason
from structlog.testing import capture_logs

from server.chat.attempts import Attempt
from server.chat.turn import Turn, TurnLimits
from server.rpc.errors import DatabaseIsUnavailable, ProviderFailed, ShuttingDown
from tests.support.timers import FakeTimers


class Stream:
    """A provider's answer: some chunks, then silence or an error."""

    log_id = "0198"

    def __init__(self, *chunks, error=None, silent=False, close_error=None, close_hangs=False, **numbers):
        self.chunks, self.error, self.silent, self.close_error = chunks, error, silent, close_error
        self.close_hangs, self.numbers = close_hangs, numbers
        self.text = ""
        self.closed = False

    async def __aiter__(self):
        for chunk in self.chunks:
            self.text += chunk
            yield chunk
        try:
            if self.silent:
                await asyncio.Event().wait()
        finally:
            if self.close_hangs:
                await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    async def aclose(self):
        self.closed = True
        if self.close_hangs:
            await asyncio.Event().wait()
        if self.close_error is not None:
            raise self.close_error

    def fail(self, error_code):
        self.error_code = error_code

    def result(self):
        result = ChatResult(self.text, self.log_id, "model", "stop", 0.1, 0.1, 1, 1, 2)
        return result._replace(**self.numbers)


class Records:
    """Replaces the message store and the attempts, and records what they would store."""

    def __init__(self, error=None, **errors):
        self.error = error
        self.errors = errors
        self.answers = []
        self.attempts = []

    async def add_answer(self, attempt, result, *, provider, outcome):
        if self.error is not None:
            raise self.error
        await asyncio.sleep(0)
        self.answers.append((result.text, outcome))

    async def note_finished(self, attempt, finished):
        if "note_finished" in self.errors:
            raise self.errors["note_finished"]
        self.attempts.append("finished")

    async def note_failed(self, attempt):
        if "note_failed" in self.errors:
            raise self.errors["note_failed"]
        self.attempts.append("failed")


@pytest.fixture
def timers(monkeypatch):
    fake = FakeTimers()
    monkeypatch.setattr("server.chat.turn.call_later", fake.call_later)
    return fake


def begin(stream, records) -> Turn:
    return Turn(
        ChatTurn(session_id="s1", provider="openai"),
        Attempt(conversation_id=uuid4()),
        stream,
        store=records,
        attempts=records,
        limits=TurnLimits(timeout_s=100, idle_timeout_s=10),
        cost_of=lambda _: 7,
    )


async def read(turn) -> tuple[str, Exception | None]:
    text = ""
    try:
        async for piece in turn:
            text += piece
    except Exception as error:  # noqa: BLE001 - tests assert its type
        return text, error
    return text, None


async def test_an_answer_is_stored_before_its_reader_sees_the_end(timers):
    records = Records()
    turn = begin(Stream("a", "b"), records)
    assert await read(turn) == ("ab", None)
    assert (records.answers, records.attempts) == ([("ab", "success")], ["finished"])
    await turn.aclose()
    assert len(records.answers) == 1


@pytest.mark.parametrize("seconds", [12.5, 100])
async def test_a_timeout_is_a_provider_error_and_keeps_the_text_received(timers, seconds):
    stream, records = Stream("a", silent=True), Records()
    turn = begin(stream, records)
    texts = aiter(turn)
    assert await anext(texts) == "a"
    timers.advance(seconds)
    with pytest.raises(ProviderFailed) as caught:
        await anext(texts)
    assert caught.value.reason == ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT
    assert (records.answers, records.attempts, stream.closed) == ([("a", "error")], ["failed"], True)
    assert timers.pending == 0


async def test_a_provider_error_fails_the_turn_without_its_text(timers):
    records = Records()
    text, error = await read(begin(Stream("a", error=ConnectionError("secret")), records))
    assert (text, type(error)) == ("a", ProviderFailed)
    assert "secret" not in str(error)
    assert (records.answers, records.attempts) == ([("a", "error")], ["failed"])


async def test_an_answer_without_text_is_not_stored(timers):
    records = Records()
    await read(begin(Stream(error=ConnectionError()), records))
    assert (records.answers, records.attempts) == ([], ["failed"])


@pytest.mark.parametrize("steps", [0, 1, 5])
async def test_closing_at_any_step_cancels_and_stores(timers, steps):
    stream, records = Stream("a", silent=True), Records()
    turn = begin(stream, records)
    for _ in range(steps):
        await asyncio.sleep(0)
    await turn.aclose()
    await turn.aclose()
    assert records.answers == ([("a", "cancelled")] if stream.text else [])
    assert (records.attempts, stream.closed) == (["failed"], True)
    assert timers.pending == 0


async def test_the_first_reason_to_stop_wins(timers):
    records = Records()
    turn = begin(Stream("a", silent=True), records)
    assert await anext(aiter(turn)) == "a"
    turn.cancel(ShuttingDown())
    timers.advance(100)
    assert [type(error) for error in (await read(turn))[1:]] == [ShuttingDown]
    assert records.answers == [("a", "cancelled")]


async def test_a_task_cancelled_from_outside_still_stores_the_answer(timers):
    records = Records()
    turn = begin(Stream("a", silent=True), records)
    assert await anext(aiter(turn)) == "a"
    turn.task.cancel()
    assert type((await read(turn))[1]) is ShuttingDown
    assert records.answers == [("a", "cancelled")]


async def test_cancelling_a_reader_during_close_does_not_interrupt_storing(timers):
    records = Records()
    turn = begin(Stream("a", silent=True), records)
    assert await anext(aiter(turn)) == "a"
    closing = asyncio.create_task(turn.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await turn.task
    assert records.answers == [("a", "cancelled")]


async def test_a_storage_failure_is_raised(timers):
    text, error = await read(begin(Stream("a"), Records(error=DatabaseIsUnavailable())))
    assert (text, type(error)) == ("a", DatabaseIsUnavailable)


async def test_an_answer_is_stored_even_if_closing_its_stream_fails(timers):
    records = Records()
    assert await read(begin(Stream("a", close_error=RuntimeError("secret")), records)) == ("a", None)
    assert records.answers == [("a", "success")]


@pytest.mark.parametrize(
    ("records", "numbers"),
    [
        (Records(error=DatabaseIsUnavailable()), {}),
        (Records(note_finished=DatabaseIsUnavailable()), {}),
        (Records(), {"finish_reason": object()}),
    ],
    ids=["answer", "attempt", "invalid numbers"],
)
async def test_an_attempt_that_cannot_be_stored_can_be_retried(timers, records, numbers):
    _, error = await read(begin(Stream("a", **numbers), records))
    assert error is not None
    assert records.attempts == ["failed"]


async def test_an_answer_with_invalid_numbers_is_not_stored(timers):
    records = Records()
    await read(begin(Stream("a", input_tokens=1.5), records))
    assert records.answers == []


async def test_a_failure_that_cannot_be_recorded_is_logged_without_its_text(timers):
    down = DatabaseIsUnavailable()
    records = Records(note_finished=down, note_failed=RuntimeError("secret"))
    with capture_logs() as logs:
        _, error = await read(begin(Stream("a"), records))
    assert error is down
    assert [(log["log_level"], log["error"]) for log in logs] == [("warning", "RuntimeError")]


async def test_an_answer_is_stored_before_its_hanging_stream_is_abandoned(timers, monkeypatch):
    monkeypatch.setattr("server.chat.turn._CLOSE_TIMEOUT_S", 0)
    records = Records()
    turn = begin(Stream("a", silent=True, close_hangs=True), records)
    assert await anext(aiter(turn)) == "a"
    closing = asyncio.create_task(turn.aclose())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not closing.done()
    timers.advance(0)  # ends the wait in the stream's own clean-up
    await closing
    assert (records.answers, records.attempts) == ([("a", "cancelled")], ["failed"])
    assert timers.pending == 0


async def test_the_reader_does_not_wait_for_a_stream_that_hangs_on_close(timers):
    records, stream = Records(), Stream("a")
    turn = begin(stream, records)
    setattr(stream, "aclose", asyncio.Event().wait)  # noqa: B010 - a method
    assert await read(turn) == ("a", None)
    assert records.attempts == ["finished"]
    turn.task.cancel()
    await asyncio.wait([turn.task])
