"""observe() for spans: what runs inside is a part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from llm_observe._collections import show
from llm_observe._guard import guarded
from llm_observe._observe_shapes import decorate
from llm_observe._providers.errors import read_error
from llm_observe._runtime import submit_span
from llm_observe._scope import enter, leave, scope_to_extend
from llm_observe._session import ScopeContext, current_session
from llm_observe._span import Span
from llm_observe._stream_ends import fail
from llm_observe._values import to_content, to_pairs, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from llm_observe._call import Call
    from llm_observe._session import Session

    Pairs = tuple[tuple[object, object], ...]
    Read = Callable[[Any], Mapping[str, object]]

_Function = TypeVar("_Function", bound="Callable[..., object]")


class SpanObserver(ScopeContext[Span]):
    """A span for ``with`` and ``async with``, and a decorator of functions of any shape."""

    recorder: SpanRecorder

    def __call__(self, function: _Function) -> _Function:
        """Return a function that does the same, and is recorded as a span each time."""
        return decorate(function, self.recorder)


def observe_span(
    operation: str, name: str, attributes: Pairs, traceparent: object, read: Read | None
) -> SpanObserver:
    """Return what records spans."""
    recorder = SpanRecorder(operation, name, attributes, traceparent, read)
    observer = SpanObserver(_open, (recorder,), {})
    observer.recorder = recorder
    return observer


def _open(recorder: SpanRecorder) -> Generator[Span, None, None]:
    scope = scope_to_extend()
    span = recorder.start("", None if scope is None else scope.session)
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

    is_around = True

    def __init__(
        self,
        operation: str,
        name: str,
        attributes: Pairs,
        traceparent: object,
        read: Read | None,
    ) -> None:
        self._operation = operation
        self._name = name
        self._attributes = attributes
        self._traceparent = traceparent
        self._read = read

    def start(self, name: str, session: Session | None = None) -> Span:
        """Begin a span, in the current session if it names none."""
        name = self._name or name.rpartition("<locals>.")[2]
        span = Span(self._operation, name, session or current_session(), self._traceparent, submit_span)
        for key, value in self._attributes:
            span.set_attribute(key, value)
        return span

    def read_chunk(self, chunk: object, call: Call) -> bool:
        """Record a value that the function yielded or returned."""
        with guarded("observe read"):  # the application's function: if it fails, the text is still recorded
            known = dict(self._read(chunk) or {}) if self._read is not None else {}
            call.add_output(to_content(known.get("output_text")))
            for key, value in to_pairs(known.get("metadata")):
                cast("Span", call).set_attribute(key, value)
            if "output_text" in known:
                return False
        call.add_output(_text_of(chunk))
        return False

    def read_error(self, error: BaseException, call: Call) -> None:
        """Record the details of an error."""
        read_error(error, call)

    def end(self, result: object, call: Call) -> None:
        """End the span of a function that returned."""
        self.read_chunk(result, call)
        call.finish()


def _text_of(value: object) -> str:
    """Return what is shown of a result: text, and collections as those among arguments."""
    kind = type(value)  # isinstance() raises for an unbound proxy
    if issubclass(kind, str):
        return to_text(value)
    try:
        return show(value) if issubclass(kind, dict | list | tuple) else ""
    except Exception:  # noqa: BLE001 - the application's own kind of collection
        return ""
