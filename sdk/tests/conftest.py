"""Every test gets an isolated SDK: no environment, no network, calls kept in a list."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from llm_observe import _guard, _runtime, _scope
from llm_observe._call import Call
from llm_observe._config import Config
from llm_observe._log_builder import build_log
from llm_observe._span import Span
from llm_observe._span_builder import build_span
from llm_observe.redaction import Redactor
from llm_observe.v1.log_pb2 import Log
from llm_observe.v1.span_pb2 import Span as SpanMessage
from session_steps import STEP_RUNNERS, RunStep, current_id

_guard.raise_internal_errors = True


class Recorder:
    """Replaces the sender and keeps the calls it would send."""

    def __init__(self) -> None:
        self.config = Config(endpoint="127.0.0.1:1")
        self.calls: list[Call] = []
        self.finished_spans: list[Span] = []
        self.capture_content = True

    def load(self) -> None: ...

    def submit(self, call: Call) -> None:
        self.calls.append(call)

    def submit_span(self, span: Span) -> None:
        self.finished_spans.append(span)

    @property
    def spans(self) -> list[SpanMessage]:
        """Every span, in the order in which they ended."""
        return [
            build_span(span, Redactor(), capture_content=self.capture_content) for span in self.finished_spans
        ]

    @property
    def logs(self) -> list[Log]:
        return [
            build_log(call, Redactor(), environment="test", release="1", capture_content=self.capture_content)
            for call in self.calls
        ]

    @property
    def only(self) -> Log:
        assert len(self.calls) == 1, f"{len(self.calls)} logs, not one"
        return self.logs[0]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch) -> None:
    for name in list(os.environ):
        if name.startswith(("LLM_OBSERVE_", "OPENAI_")):
            monkeypatch.delenv(name)


@pytest.fixture
def recorder(monkeypatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(_runtime, "_runtime", recorder)
    return recorder


@pytest.fixture
def swallowing(monkeypatch) -> None:
    """Swallow internal errors, as in an application."""
    monkeypatch.setattr(_guard, "raise_internal_errors", False)


@pytest.fixture(params=STEP_RUNNERS)
def run_step(request) -> RunStep:
    """Run a step of a generator in every kind of context in which a framework may run it."""
    return STEP_RUNNERS[request.param]()


@pytest.fixture
def no_session_is_left() -> Iterator[None]:
    yield
    assert current_id() is None
    assert _scope._scopes_of_frames == {}
