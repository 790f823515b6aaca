"""observe() records steps as spans, and what runs inside belongs to them."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import llm_observe
import pytest
from llm_observe import _span
from llm_observe.trace_context import parse_traceparent
from llm_observe.v1.span_pb2 import SPAN_STATUS_ERROR, SPAN_STATUS_OK, SPAN_STATUS_UNSPECIFIED

pytestmark = pytest.mark.usefixtures("no_session_is_left")
tool = llm_observe.observe(operation="execute_tool", name="search")


def call() -> None:
    """Make a call to a model."""
    llm_observe.log(provider="p", model="m")


class Stop(Exception):
    """Ends a step."""


# -- each shape of function, with what it does inside, run to its end -----------------------------------


def plain(act: Callable[[], object]) -> None:
    @tool
    def step() -> object:
        return act()

    step()


def method(act: Callable[[], object]) -> None:
    class Tool:
        @tool
        def step(self) -> object:
            return act()

    Tool().step()


def static(act: Callable[[], object]) -> None:
    class Tool:
        @tool
        @staticmethod
        def step() -> object:
            return act()

    Tool.step()


def coroutine(act: Callable[[], object]) -> None:
    @tool
    async def step() -> object:
        await asyncio.sleep(0)
        return act()

    asyncio.run(step())


def task(act: Callable[[], object]) -> None:
    @tool
    async def step() -> None:
        async def inner() -> None:
            act()

        await asyncio.gather(inner())

    asyncio.run(step())


def thread(act: Callable[[], object]) -> None:
    @tool
    async def step() -> None:
        await asyncio.to_thread(act)

    asyncio.run(step())


def returned_coroutine(act: Callable[[], object]) -> None:
    async def inner() -> object:
        return act()

    @tool
    def step() -> Any:
        return inner()

    asyncio.run(step())


def generator(act: Callable[[], object]) -> None:
    @tool
    def step() -> Iterator[str]:
        yield "first"
        act()
        yield "last"

    for _ in step():
        pass


def generator_in_other_contexts(act: Callable[[], object]) -> None:
    @tool
    def step() -> Iterator[str]:
        yield "first"
        act()
        yield "last"

    steps = step()
    while contextvars.copy_context().run(next, steps, None) is not None:
        pass


def async_generator(act: Callable[[], object]) -> None:
    @tool
    async def step() -> AsyncIterator[str]:
        yield "first"
        act()
        yield "last"

    async def main() -> None:
        async for _ in step():
            pass

    asyncio.run(main())


def block(act: Callable[[], object]) -> None:
    with llm_observe.observe(operation="execute_tool", name="search"):
        act()


def async_block(act: Callable[[], object]) -> None:
    async def main() -> None:
        async with llm_observe.observe(operation="execute_tool", name="search"):
            await asyncio.sleep(0)
            act()

    asyncio.run(main())


SHAPES = [
    plain, method, static, coroutine, task, thread, returned_coroutine, generator,
    generator_in_other_contexts, async_generator, block, async_block,
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_what_runs_inside_belongs_to_the_span(shape, recorder):
    def act() -> None:
        call()
        plain(call)
        call()

    with llm_observe.session("s", user_id="u"):
        shape(act)
        call()
    inner, outer = recorder.spans
    assert (outer.name, outer.operation, outer.session_id) == ("search", "execute_tool", "s")
    assert outer.parent_span_id == ""
    assert (inner.trace_id, inner.parent_span_id) == (outer.trace_id, outer.span_id)
    assert {span.status for span in recorder.spans} == {SPAN_STATUS_OK}
    assert outer.end_time.ToNanoseconds() >= inner.end_time.ToNanoseconds()
    first, innermost, last, after = recorder.logs
    for log, span in ((first, outer), (innermost, inner), (last, outer)):
        assert (log.trace_id, log.parent_span_id) == (outer.trace_id, span.span_id)
        assert (log.session_id, log.user_id) == ("s", "u")
    assert (after.trace_id, after.session_id) == ("", "s")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Stop("no 4111 1111 1111 1111"), SPAN_STATUS_ERROR, "Stop"),
        (TimeoutError(), SPAN_STATUS_ERROR, "timeout"),
        (asyncio.CancelledError(), SPAN_STATUS_UNSPECIFIED, "cancelled"),
        (KeyboardInterrupt(), SPAN_STATUS_UNSPECIFIED, "cancelled"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_step_that_fails_says_so_and_raises_the_same(shape, error, status, code, recorder):
    def act() -> None:
        raise error

    if shape in {thread, task} and isinstance(error, KeyboardInterrupt):
        pytest.skip("asyncio itself ends")
    with pytest.raises(type(error)):
        shape(act)
    [span] = recorder.spans
    assert (span.status, span.attributes["error.type"]) == (status, code)
    assert "4111 1111" not in str(span)  # an id may have the digits, but no space
    call()
    assert recorder.only.trace_id == ""


@pytest.mark.parametrize("ending", ["close", "drop", "drop before the first step"])
def test_a_generator_that_is_left_is_cancelled(ending, recorder):
    @tool
    def step() -> Iterator[str]:
        yield "one"
        yield "two"

    steps: Any = step()
    if ending != "drop before the first step":
        next(steps)
    call()
    if ending == "close":
        steps.close()
    del steps
    gc.collect()
    assert recorder.only.trace_id == "", "what runs between steps is no part of the span"
    if ending != "drop before the first step":
        [span] = recorder.spans
        assert span.attributes["error.type"] == "cancelled"
        assert span.attributes["gen_ai.tool.call.result"] == "one"


def test_a_generator_gets_what_is_sent_and_thrown(recorder):
    @tool
    def step() -> Any:
        got = yield "ready"
        try:
            yield got
        except Stop:
            yield "stopped"
        return "end"

    steps: Any = step()
    assert [next(steps), steps.send("sent"), steps.throw(Stop())] == ["ready", "sent", "stopped"]
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == "end"
    assert len(recorder.spans) == 1


def test_two_generators_that_take_turns_do_not_mix(recorder):
    @llm_observe.observe(operation="invoke_agent")
    def agent() -> Iterator[None]:
        for _ in range(2):
            call()
            yield

    for _ in zip(agent(), agent(), strict=True):
        pass
    first, second = recorder.spans
    assert [log.parent_span_id for log in recorder.logs] == [first.span_id, second.span_id] * 2
    assert first.trace_id != second.trace_id


async def test_concurrent_tasks_have_spans_of_their_own(recorder):
    @llm_observe.observe(operation="invoke_agent", name="a")
    async def agent() -> None:
        await asyncio.sleep(0)
        call()

    await asyncio.gather(*(agent() for _ in range(20)))
    assert sorted(log.parent_span_id for log in recorder.logs) == sorted(s.span_id for s in recorder.spans)
    assert len({span.trace_id for span in recorder.spans}) == 20


def test_a_thread_of_its_own_joins_by_traceparent(recorder):
    def work(traceparent: str) -> None:
        with llm_observe.observe(operation="retrieval", traceparent=traceparent):
            call()

    with llm_observe.observe(operation="chain") as span:
        other = threading.Thread(target=work, args=(span.traceparent,))
        other.start()
        other.join()
    inner, outer = recorder.spans
    assert (inner.trace_id, inner.parent_span_id) == (outer.trace_id, outer.span_id)
    assert recorder.only.parent_span_id == inner.span_id
    assert (inner.name, outer.name) == ("retrieval", "chain")


def test_a_stream_belongs_to_the_span_in_which_it_was_requested(recorder):
    with llm_observe.observe(operation="chain"):
        stream = llm_observe.LLMClient("demo").stream("hello")
    for _ in stream:
        pass
    assert recorder.only.parent_span_id == recorder.spans[0].span_id


# -- which is a span ------------------------------------------------------------------------------------


def test_a_provider_and_a_model_make_a_call_but_for_steps(recorder):
    llm_observe.observe(provider="p", model="m", operation="rerank")(lambda: "x")()
    llm_observe.observe(provider="p", model="m", operation="invoke_agent")(lambda: "x")()
    llm_observe.observe(operation="rerank")(lambda: "x")()
    assert [log.operation for log in recorder.logs] == ["rerank"]
    assert [span.operation for span in recorder.spans] == ["invoke_agent", "rerank"]
    assert recorder.spans[0].attributes["gen_ai.request.model"] == "m"


@pytest.mark.parametrize(
    "arguments",
    [{}, {"operation": "chat"}, {"provider": "p"}, {"model": "m"}, {"operation": "embeddings"},
     {"provider": "p", "model": "m", "name": "n"}, {"provider": "p", "model": "m", "traceparent": "t"}],
)  # fmt: skip
def test_what_is_neither_is_refused(arguments):
    with pytest.raises(TypeError):
        llm_observe.observe(**arguments)


def test_a_span_is_called_what_its_function_is(recorder):
    class Agent:
        @llm_observe.observe(operation="invoke_agent")
        def plan(self) -> None: ...

    Agent().plan()
    assert recorder.spans[0].name == "Agent.plan"


# -- what a span says -----------------------------------------------------------------------------------


def test_texts_are_redacted_and_bounded_and_secrets_are_not_shown(recorder):
    @llm_observe.observe(
        operation="execute_tool", name="mail to jo@example.com", attributes={"n": 3, "ok": True}
    )
    def send(to: str, password: str) -> dict[str, str]:
        return {"sent": to, "api_key": password}

    send("jo@example.com " + "x" * 900, "hunter-2-hunter")
    span = recorder.spans[0]
    shown = dict(span.attributes.items())
    assert "jo@example.com" not in str(span)
    assert "hunter-2-hunter" not in str(span)
    assert span.name.startswith("mail to [")
    assert (shown["n"], shown["ok"]) == (3, True)
    assert len(shown["gen_ai.tool.call.arguments"]) == 500
    assert "sent" in shown["gen_ai.tool.call.result"]


def test_without_content_there_is_no_text(recorder):
    recorder.capture_content = False

    @llm_observe.observe(operation="execute_tool", name="search", attributes={"n": 3, "query": "words"})
    def search(query: str) -> str:
        raise Stop("words of " + query)

    with pytest.raises(Stop):
        search("words")
    span = recorder.spans[0]
    assert dict(span.attributes.items()) == {"error.type": "Stop", "n": 3}
    assert "words" not in str(span)


def test_attributes_are_bounded_in_number_and_size(recorder):
    with llm_observe.observe(operation="chain") as span:
        for number in range(100):
            span.set_attribute(f"k{number}", "v" * 10_000)
        span.set_attribute("k0", "again")
        span.set_attribute("", "no name")
    shown = dict(recorder.spans[0].attributes.items())
    assert 10 < len(shown) <= 64
    assert shown["k0"] == "again"
    assert sum(len(key) + len(str(value)) for key, value in shown.items()) <= 8_000


@pytest.mark.parametrize(
    ("value", "kept"),
    [(1, 1), (1.5, 1.5), (False, False), (None, None), ("\ud800\x00", "\ufffd\ufffd"), (float("nan"), "nan"),
     (2**60, str(2**60)), ([1, "a"], '[1, "a"]'), (b"ab", "ab")],
    ids=repr,
)  # fmt: skip
def test_any_value_becomes_one_that_an_attribute_can_hold(value, kept, recorder):
    with llm_observe.observe(operation="chain", attributes={"key": value}):
        pass
    shown = dict(recorder.spans[0].attributes.items())
    assert shown.get("key") == kept
    json.dumps(shown, allow_nan=False)


def test_read_says_what_the_result_is(recorder):
    @llm_observe.observe(
        operation="retrieval", read=lambda hits: {"output_text": hits[0], "metadata": {"k": "v"}}
    )
    def find() -> list[str]:
        return ["first", "second"]

    find()
    assert dict(recorder.spans[0].attributes.items()) == {"output.value": "first", "k": "v"}


# -- processes ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_leaves_the_span_to_the_parent(recorder):
    with llm_observe.observe(operation="chain") as span:
        pid = os.fork()
        if pid == 0:
            call()
            is_right = span.finished and recorder.logs[0].parent_span_id == f"{span.ids.span_id:016x}"
            span.finish()
            os._exit(0 if is_right and not recorder.finished_spans else 1)
        assert os.waitpid(pid, 0)[1] == 0
    assert len(recorder.spans) == 1


def test_spans_that_are_open_at_the_end_of_the_process_are_cancelled(recorder):
    with llm_observe.observe(operation="chain"):
        _span.end_open_spans()
    assert [span.attributes["error.type"] for span in recorder.spans] == ["cancelled"]
    assert not _span._open


@pytest.mark.parametrize(
    ("header", "is_valid"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", True),
        (f" 00-{'a' * 32}-{'b' * 16}-00 ", True),
        (f"01-{'a' * 32}-{'b' * 16}-01-later", True),
        (f"00-{'a' * 32}-{'b' * 16}-01-later", False),
        (f"ff-{'a' * 32}-{'b' * 16}-01", False),
        (f"00-{'0' * 32}-{'b' * 16}-01", False),
        (f"00-{'a' * 32}-{'0' * 16}-01", False),
        (f"00-{'A' * 32}-{'b' * 16}-01", False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_a_header_is_read_or_ignored(header, is_valid, recorder):
    assert (parse_traceparent(header) is not None) == is_valid
    with llm_observe.session(traceparent=header):
        call()
    with llm_observe.observe(operation="chain", traceparent=header):
        call()
    plain_log, log = recorder.logs
    span = recorder.spans[0]
    assert (plain_log.trace_id == "a" * 32) == is_valid
    assert (span.trace_id == "a" * 32) == is_valid
    assert log.parent_span_id == span.span_id
    is_sampled = is_valid and header.strip().endswith(("-01", "-01-later"))
    assert plain_log.parent_span_id == span.parent_span_id == ("b" * 16 if is_sampled else "")
