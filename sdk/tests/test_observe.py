"""observe() records a call of any kind of function once, and leaves its result unchanged."""

from __future__ import annotations

import asyncio
import gc

import llm_observe
import pytest
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS

observe = llm_observe.observe(provider="mine", model="m1")


def test_a_function_is_recorded(recorder):
    @observe
    def ask(question: str, *, temperature: float) -> str:
        """Ask."""
        return f"answer to {question}"

    assert ask("what?", temperature=0.1) == "answer to what?"
    log = recorder.only
    assert (log.provider, log.model, log.outcome) == ("mine", "m1", OUTCOME_SUCCESS)
    assert (log.input_preview, log.output_preview, log.streamed) == ("what?", "answer to what?", False)
    assert (ask.__name__, ask.__doc__) == ("ask", "Ask.")


async def test_a_coroutine_function_is_recorded(recorder):
    @observe
    async def ask(question: str) -> str:
        await asyncio.sleep(0)
        return question.upper()

    assert await ask("what?") == "WHAT?"
    assert recorder.only.output_preview == "WHAT?"


def test_a_generator_is_recorded_as_a_stream(recorder):
    @observe
    def ask(question: str):
        yield from question.split()

    assert list(ask("all is well")) == ["all", "is", "well"]
    log = recorder.only
    assert (log.output_preview, log.streamed) == ("alliswell", True)
    assert log.HasField("time_to_first_token")


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_stream_left_early_is_cancelled(recorder, asynchronous):
    closed = []

    @observe
    def ask():
        try:
            yield "all"
            yield "is"
        finally:
            closed.append(True)

    @observe
    async def aask():
        try:
            yield "all"
            yield "is"
        finally:
            closed.append(True)

    if asynchronous:
        answer = aask()
        assert await anext(answer) == "all"
        await answer.aclose()
    else:
        for _ in ask():
            break
        gc.collect()
    assert closed == [True]
    assert (recorder.only.outcome, recorder.only.output_preview) == (OUTCOME_CANCELLED, "all")


def test_an_exception_is_logged_and_raised(recorder):
    @observe
    def ask():
        raise TimeoutError("timed out for bob@" + "example.com")

    with pytest.raises(TimeoutError, match="timed out"):
        ask()
    log = recorder.only
    assert (log.outcome, log.error_code) == (OUTCOME_ERROR, "timeout")
    assert log.error_message == "timed out for [EMAIL]"


def test_read_takes_fields_from_the_result(recorder):
    @llm_observe.observe(
        provider="mine",
        model="m1",
        operation="embeddings",
        read=lambda result: {
            "output_text": result["text"],
            "input_tokens": result["in"],
            "output_tokens": 4,
            "finish_reason": "stop",
            "metadata": {"region": "eu"},
        },
    )
    def ask(_question: str) -> dict[str, object]:
        return {"text": "fine", "in": 3}

    assert ask("q") == {"text": "fine", "in": 3}
    log = recorder.only
    assert (log.operation, log.output_preview, log.finish_reason) == ("embeddings", "fine", "stop")
    assert (log.input_token_count, log.output_token_count, log.total_token_count) == (3, 4, 7)
    assert dict(log.metadata) == {"region": "eu"}


async def test_async_static_methods_class_methods_and_callables_are_awaited(recorder):
    class Service:
        @observe
        @staticmethod
        async def ask(question: str) -> str:
            await asyncio.sleep(0)
            return question.upper()

        @observe
        @classmethod
        async def ask_class(cls, question: str) -> str:
            await asyncio.sleep(0)
            return question.upper()

        async def __call__(self, question: str) -> str:
            await asyncio.sleep(0)
            return question.upper()

    for ask in (Service.ask, Service().ask, Service.ask_class, Service().ask_class, observe(Service())):
        assert await ask("what?") == "WHAT?"
    assert [(log.input_preview, log.output_preview) for log in recorder.logs] == [("what?", "WHAT?")] * 5
