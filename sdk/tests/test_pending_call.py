"""The call behind an answer of LLMClient gets its id and session, wherever the answer is read."""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

import llm_observe
import pytest
from llm_observe._call import Call, PendingCall
from llm_observe._client import ChatStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator


def make_call() -> Call:
    return Call("mine", "chat", "m1", lambda _call: None)


class Suspension:
    """Suspends once, without an event loop."""

    def __await__(self) -> Generator[None]:
        yield


def finish(coroutine: Any) -> Any:
    """Resume a coroutine that does not suspend again, and return its result."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


def test_each_step_may_run_in_another_context():
    def chunks() -> Iterator[str]:
        yield make_call().log_id
        yield make_call().log_id or "no id"

    answer = ChatStream(chunks(), PendingCall("id-1"))
    assert [copy_context().run(next, answer) for _ in range(2)] == ["id-1", "no id"]
    assert make_call().log_id == ""


async def test_a_waiting_answer_gives_its_id_to_no_other_call():
    async def chunks() -> AsyncIterator[str]:
        await Suspension()
        yield make_call().log_id

    answer = ChatStream(chunks(), PendingCall("id-1"))
    first, other = Context(), Context()
    step = answer.__anext__()
    first.run(step.send, None)
    assert other.run(make_call).log_id == ""
    assert first.run(finish, step) == "id-1"
    assert first.run(make_call).log_id == ""


@pytest.mark.parametrize("where", ["its own context", "another", "a copy"])
def test_an_answer_closed_before_its_call_gives_its_id_to_none(where):
    async def chunks() -> AsyncIterator[str]:
        await Suspension()
        yield make_call().log_id

    answer = ChatStream(chunks(), PendingCall("id-1", (("key", "value"),)))
    own = Context()
    step = answer.__anext__()
    own.run(step.send, None)
    closing = {"its own context": own, "another": Context(), "a copy": own.copy()}[where]
    closing.run(step.close)
    for context in (own, closing):
        call = context.run(make_call)
        assert (call.log_id, call.metadata) == ("", ())
    assert answer.result().model == ""


def test_nested_answers_keep_their_own_ids():
    def inner() -> Iterator[str]:
        yield make_call().log_id

    def outer() -> Iterator[str]:
        yield next(ChatStream(inner(), PendingCall("inner"))) + " " + make_call().log_id

    assert next(ChatStream(outer(), PendingCall("outer"))) == "inner outer"


def test_an_answer_belongs_to_the_session_that_requested_it(recorder):
    client = llm_observe.LLMClient("demo")
    with llm_observe.session("s1"):
        answer = client.stream("hello", max_output_tokens=2)
    with llm_observe.session("s2"):
        list(answer)
    assert recorder.only.session_id == "s1"


def test_an_answer_requested_outside_a_session_belongs_to_the_session_that_reads_it(recorder):
    answer = llm_observe.LLMClient("demo").stream("hello", max_output_tokens=2)
    with llm_observe.session("s2"):
        list(answer)
    assert recorder.only.session_id == "s2"
