"""An answer of the usual shape gives the same log as by the readers of all shapes, whatever is odd in it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
from anthropic._models import construct_type as construct_anthropic
from anthropic.types import Message
from google.genai.types import GenerateContentResponse
from llm_observe import _taps
from llm_observe._call import Call
from llm_observe._log_builder import build_log
from llm_observe._providers import anthropic, gemini, openai, usual_answers
from llm_observe.redaction import Redactor
from openai._models import construct_type as construct_openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion
from openai_wire import CHUNKS as WORDS
from openai_wire import COMPLETION, USAGE, chunk
from vendor_wire import ANTHROPIC_MESSAGE, GEMINI_EVENTS

COMPLETE = {
    **COMPLETION,
    "service_tier": "default",
    "system_fingerprint": "fp",
    "choices": [{**COMPLETION["choices"][0], "logprobs": None}],  # type: ignore[index] # a list
}
ENDED = GEMINI_EVENTS[-1]
Make = Callable[[Any], Any]


def _validated(body: Any) -> Any:
    with warnings.catch_warnings(action="ignore"):  # of values that an enum does not have
        return GenerateContentResponse.model_validate(body)


def _unchecked(value: Any) -> Any:
    """Return objects with the members of a JSON value, as models that their client does not validate."""
    if isinstance(value, list):
        return [_unchecked(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return SimpleNamespace(**{name: _unchecked(member) for name, member in value.items()})


DIALECTS: dict[str, tuple[Any, str, Any, Make]] = {
    "OpenAI": (
        openai,
        "read_completion",
        COMPLETE,
        lambda body: construct_openai(type_=ChatCompletion, value=body),
    ),
    "OpenAI, parsed": (
        openai,
        "read_completion",
        COMPLETE,
        lambda body: construct_openai(type_=ParsedChatCompletion, value=body),
    ),
    "Anthropic": (
        anthropic,
        "read_message",
        ANTHROPIC_MESSAGE,
        lambda body: construct_anthropic(type_=Message, value=body),
    ),
    "Gemini": (gemini, "read_generation", ENDED, _validated),
    "Gemini, unchecked": (gemini, "read_generation", _validated(ENDED).model_dump(), _unchecked),
}
ODD: tuple[Any, ...] = (
    None, "", "text", "stop", 0, 1, 5, -1, 2**70, 1.5, math.nan, True, [], {}, [None], ["text"], {"odd": 1},
    "tool_calls", "error", "STOP", "LENGTH", "AUDIO",
)  # fmt: skip
MORE: dict[str, Any] = {
    "error": {"code": "overloaded", "message": "later"},
    "usage": {"prompt_tokens": 70, "completion_tokens": 50},
    "x_groq": {"usage": {"prompt_tokens": 71}},
    "cost": 0.25,
    "cached_tokens": 3,
    "cache_creation_tokens": 4,
    "iterations": [{"type": "compaction", "input_tokens": 9}],
    "reasoning_content": "hm",
    "thought": True,
    "tool_calls": [{"function": {"name": "look", "arguments": "{}"}}],
    "refusal": "no",
}
"""Members that servers add, anywhere."""


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every part of a JSON value but the whole."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, member in members:
        yield (*path, key)
        yield from paths(member, (*path, key))


def at(body: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        body = body[key]
    return body


def variants(body: Any) -> Iterator[Any]:
    """Yield an answer with each part left out, odd, or doubled, and with each member more in each object."""
    for path in paths(body):
        for value in ODD:
            changed = deepcopy(body)
            at(changed, path[:-1])[path[-1]] = value
            yield changed
        changed = deepcopy(body)
        owner = at(changed, path[:-1])
        if isinstance(owner, list):
            owner.append(deepcopy(owner[0]))
        else:
            del owner[path[-1]]
        yield changed
    for path in [(), *paths(body)]:
        for name, value in MORE.items():
            changed = deepcopy(body)
            if isinstance(owner := at(changed, path), dict) and name not in owner:
                owner[name] = value
                yield changed


def new_call(provider: Any) -> Call:
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "contents": "hi"}
    if provider is gemini:
        return gemini.describe("chat", body, stream=False, sink=lambda _: None)
    url = "/v1/messages" if provider is anthropic else "/chat/completions"
    options = SimpleNamespace(url=url, method="post", json_data=body)
    call: Call = provider.describe(options, stream=False, sink=lambda _: None)
    return call


def log_of(provider: Any, answer: Any) -> str:
    call = new_call(provider)
    provider.read_response(answer, call)
    call.finish()
    return as_text(call)


def as_text(call: Call) -> str:
    log = build_log(call, Redactor(), environment="", release="", capture_content=True)
    for name in ("log_id", "start_time", "end_time", "latency", "time_to_first_token", "first_token_time"):
        log.ClearField(name)
    return f"{call.ttft_ns is not None} {log}"


def stream_log_of(chunks: list[Any]) -> tuple[str, list[Any]]:
    """Return the log of a stream, and the chunks that the application gets."""
    call = new_call(openai)
    call.streamed = True
    passed = list(_taps.tap(iter(chunks), openai, call, hide=True))
    return as_text(call), passed


class Watched:
    """Counts how often an answer was of the usual shape."""

    def __init__(self, read: Callable[[Any, Call], Any], *, unusual: bool | None = False) -> None:
        self.read, self.unusual, self.usual, self.asked = read, unusual, 0, 0

    def __call__(self, answer: Any, call: Call) -> Any:
        done = self.read(answer, call)
        self.asked += 1
        self.usual += done is not self.unusual
        return done


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_usual_answer_is_read_in_one_function(dialect, monkeypatch):
    provider, name, body, make = DIALECTS[dialect]
    watched = Watched(getattr(provider, name))
    monkeypatch.setattr(provider, name, watched)
    assert "well" in log_of(provider, make(body))
    assert watched.usual == watched.asked > 0


@pytest.mark.usefixtures("swallowing")
@pytest.mark.parametrize("dialect", DIALECTS)
def test_odd_answers_give_the_same_log_as_by_the_readers_of_all_shapes(dialect, monkeypatch):
    provider, name, body, make = DIALECTS[dialect]
    watched = Watched(getattr(provider, name))
    for variant in variants(body):
        try:
            answer = make(variant)
        except (ValueError, AttributeError):  # the client refuses it
            continue
        monkeypatch.setattr(provider, name, watched)
        log = log_of(provider, answer)
        monkeypatch.setattr(provider, name, lambda *_: False)
        assert log == log_of(provider, answer), variant
    assert 20 < watched.usual < watched.asked


CHUNKS = [*WORDS, chunk(usage=USAGE)]


def _stream_logs(bodies: list[Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Return what stream_log_of() returns, and what it returns by the readers of all shapes."""
    chunks = [construct_openai(type_=ChatCompletionChunk, value=body) for body in bodies]
    result = stream_log_of(chunks)
    with monkeypatch.context() as all_shapes:
        all_shapes.setattr(openai, "read_completion_chunk", lambda *_: None)
        all_shapes.setattr(openai, "is_text_alone", lambda _: False)
        return result, stream_log_of(chunks)


@pytest.mark.usefixtures("swallowing")
@pytest.mark.parametrize("place", range(len(CHUNKS)))
def test_odd_chunks_give_the_same_log_as_by_the_readers_of_all_shapes(place, monkeypatch):
    watched = Watched(usual_answers.read_completion_chunk, unusual=None)
    for variant in variants(CHUNKS[place]):
        monkeypatch.setattr(openai, "read_completion_chunk", watched)
        log, expected = _stream_logs([*CHUNKS[:place], variant, *CHUNKS[place + 1 :]], monkeypatch)
        assert log == expected, variant
    assert 20 < watched.usual < watched.asked


@pytest.mark.parametrize("name", USAGE)
def test_counts_that_the_last_usage_does_not_repeat_are_kept(name, monkeypatch):
    last = {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}
    bodies = [WORDS[0], {**WORDS[1], "usage": {**last, name: USAGE[name]}}, *WORDS[2:], chunk(usage=last)]
    log, expected = _stream_logs(bodies, monkeypatch)
    assert log == expected


EARLIER: dict[str, dict[str, Any]] = {
    "usage": {"usage": USAGE},
    "usage elsewhere": {"x_groq": {"usage": USAGE}},
    "one count": {"usage": {"cached_tokens": 3}},
}


@pytest.mark.parametrize("earlier", EARLIER)
@pytest.mark.parametrize("alone", [False, True])
def test_counts_of_an_earlier_chunk_are_kept_wherever_it_states_them(earlier, alone, monkeypatch):
    first: dict[str, Any] = {**chunk("all "), **EARLIER[earlier]}
    if alone:
        first["choices"] = []
    last = {"prompt_tokens": 11, "completion_tokens": 6, "total_tokens": 17}
    bodies = [first, chunk("well"), chunk(None, finish="stop"), chunk(usage=last)]
    log, expected = _stream_logs(bodies, monkeypatch)
    assert "cache_read_token_count" in log[0]
    assert log == expected
