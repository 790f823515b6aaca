"""observe() for spans: what runs inside is a part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from llm_observe._collections import show
from llm_observe._guard import guarded
from llm_observe._observe_shapes import decorate
from llm_observe._providers.errors import read_error
from llm_observe._runtime import submit_span
from llm_observe._scope import enter, leave, scope_to_extend
from llm_observe._session import ScopeContext, current_session
from llm_observe._span import Span
from llm_observe._span_steps import run_inside, step_inside
from llm_observe._taps import fail
from llm_observe._values import to_content, to_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from llm_observe._call import Call
    from llm_observe._session import Session

    Read = Callable[[Any], Mapping[str, object]]

_Function = TypeVar("_Function", bound="Callable[..., object]")


class SpanObserver(ScopeContext[Span]):
    """A span for ``with`` and ``async with``, and a decorator of functions of any shape."""

    recorder: SpanRecorder

    def __call__(self, function: _Function) -> _Function:
        """Return a function that does the same, and is recorded as a span each time."""
        return decorate(function, self.recorder)


def observe_span(
    operation: str, name: str, attributes: Mapping[str, object], traceparent: object, read: Read | None
) -> SpanObserver:
    """Return what records spans."""
    recorder = SpanRecorder(operation, name, attributes, traceparent, read)
    observer = SpanObserver(_open, (recorder,), {})
    observer.recorder = recorder
    return observer


def _open(recorder: SpanRecorder) -> Generator[Span, None, None]:
    scope = scope_to_extend()
    span = recorder.start("", current_session() if scope is None else scope.session)
    entry = enter(span.session)
    try:
        yield span
    except BaseException as error:
        fail(recorder, span, error)
        raise
    else:
        span.finish()
    finally:
        leave(entry)


class SpanRecorder:
    """Records spans, and reads the values that a function returns or yields."""

    def __init__(
        self,
        operation: str,
        name: str,
        attributes: Mapping[str, object],
        traceparent: object,
        read: Read | None,
    ) -> None:
        self._operation = operation
        self._name = name
        self._attributes = attributes
        self._traceparent = traceparent
        self._read = read

    def start(self, name: str, session: Session) -> Span:
        """Begin a span in a session."""
        span = Span(self._operation, self._name or name, session, self._traceparent, submit_span)
        with guarded("observe"):
            span.set_attributes(self._attributes)
        return span

    def begin(self, name: str, texts: Callable[[], Iterable[str]], *, streamed: bool) -> Span:
        """Begin the span of a function."""
        span = self.start(name.rpartition("<locals>.")[2], current_session())
        span.streamed = streamed
        with guarded("observe"):
            span.keep_input(texts())
        return span

    def run(self, call: Call, function: Callable[..., Any], *arguments: object, **named: object) -> Any:
        """Call the function inside the span."""
        return run_inside(call.session, function, *arguments, **named)

    def within(self, call: Call, started: Any) -> Any:
        """Return a coroutine or generator that takes each step of ``started`` inside the span."""
        return step_inside(call.session, started)

    def read_chunk(self, chunk: object, call: Call) -> bool:
        """Record a value that the function yielded or returned."""
        with guarded("observe read"):  # the application's function: if it fails, the text is still recorded
            known = dict(self._read(chunk) or {}) if self._read is not None else {}
            call.add_output(to_content(known.get("output_text")))
            if isinstance(call, Span):
                call.set_attributes(dict(to_pairs(known.get("metadata"))))
            if "output_text" in known:
                return False
        with guarded("observe"):
            kind = type(chunk)  # isinstance() raises for an unbound proxy
            if issubclass(kind, str):
                call.add_output(chunk)
            elif issubclass(kind, dict | list | tuple):
                call.add_output(show(chunk))
        return False

    def read_error(self, error: BaseException, call: Call) -> None:
        """Record the details of an error."""
        read_error(error, call)

    def end(self, result: object, call: Call) -> None:
        """End the span of a function that returned."""
        self.read_chunk(result, call)
        call.finish()
