"""One call to a model: what the calling thread notes of it, and how it becomes a Log.

The calling thread only stores references to text, numbers and clock readings here. Text is joined, redacted
and cut, and the Log is built, on the sender's thread (``to_log``). Where a vendor or an application gives
something else than text, it becomes text at once: a reference would keep its memory, and it may change.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from llm_observe._guard import guarded
from llm_observe._scope import scope_in_force
from llm_observe._session import current_session
from llm_observe._values import to_content, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log

SUCCESS: Final = 1
"""Outcomes have the numbers of llm_observe.v1.Outcome, so that no protobuf is imported here."""
ERROR: Final = 2
CANCELLED: Final = 3

KEPT_TEXT_CHARS: Final = 4_000
"""How much of an answer is kept for the preview: redaction may shorten it before the cut at 500."""
_OVERHEAD_BYTES: Final = 700
"""What a waiting Call takes beside its text, measured with tracemalloc."""
_PIECE_BYTES: Final = 58
"""What a piece of text takes beside its characters."""


class Call:
    """One call to a model. Times ending in ``_ns`` are nanoseconds; ``mono`` is the monotonic clock."""

    # Class attributes are the defaults: most calls set few, and the application's thread pays for each.
    kind = ""
    """What the provider's reader needs to know of the request."""
    log_id = ""
    metadata: tuple[tuple[str, str], ...] = ()
    input_text: tuple[str, ...] = ()
    output_chars = 0
    outcome = SUCCESS
    streamed = False
    latency_ns: int | None = None
    ttft_ns: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    response_model = ""
    finish_reason = ""
    provider_request_id = ""
    error_code = ""
    error_message = ""
    http_status: int | None = None
    has_deltas = False
    """Whether nearly all chunks of the stream are ``choices[0].delta.content``."""
    waiting_bytes = 0
    """What this call was counted as when it joined the queue."""
    last_chunk: Any = None
    """A chunk whose numbers are read when the stream is over."""
    read_last: Callable[[Any, Call], None]
    """Reads them."""
    finished = False
    """Whether the call has been handed over."""

    def __init__(self, provider: str, operation: str, model: Any, sink: Callable[[Call], None]) -> None:
        self.provider = provider
        self.operation = operation
        self.model: str = model if type(model) is str else to_text(model)
        self.sink = sink
        self.session = current_session()
        self.output_pieces: list[str] = []
        pending = _pending.get()
        if pending is not None:
            pending.adopt(self)
        self.start_ns = time.time_ns()
        self.mono_start_ns = time.perf_counter_ns()

    def note_first_token(self) -> None:
        """Take the time to first token, once."""
        if self.ttft_ns is None:
            self.ttft_ns = time.perf_counter_ns() - self.mono_start_ns

    def add_output(self, text: Any) -> None:
        """Keep a piece of the answer while the preview has room: text, or what vendors put in its place."""
        if self.output_chars < KEPT_TEXT_CHARS:
            if type(text) is not str:
                text = to_content(text)
            self.output_pieces.append(text)
            self.output_chars += len(text)

    def finish(self, outcome: int = SUCCESS) -> None:
        """Close the call and hand it to the sender. Only the first time counts.

        An answer that tells of a failure is one, although it came with HTTP status 200.
        """
        if self.finished:
            return
        self.finished = True
        self.latency_ns = time.perf_counter_ns() - self.mono_start_ns
        if self.last_chunk is not None:
            with guarded("read_last"):
                self.read_last(self.last_chunk, self)
            self.last_chunk = None
        self.outcome = ERROR if outcome == SUCCESS and self.error_code else outcome
        self.sink(self)

    def size_bytes(self) -> int:
        """Estimate the memory this call holds while it waits."""
        pieces = self.output_pieces
        return (
            _OVERHEAD_BYTES
            + _PIECE_BYTES * len(pieces)
            + sum(map(len, pieces))
            + sum(map(str.__len__, self.input_text))
        )

    def to_log(self, redactor: Redactor, *, environment: str, release: str, capture_content: bool) -> Log:
        """Build the redacted Log. Runs on the sender's thread."""
        from llm_observe._log_builder import build_log  # noqa: PLC0415 - protobuf is loaded with the first send

        return build_log(
            self, redactor, environment=environment, release=release, capture_content=capture_content
        )


class PendingCall:
    """A call that LLMClient is about to make: inside ``with``, the first call of the context becomes it."""

    __slots__ = ("_awaited", "_outer", "call", "log_id", "metadata", "session")

    def __init__(self, log_id: str, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.log_id = log_id
        self.metadata = metadata
        scope = scope_in_force()
        self.session = None if scope is None else scope.session
        """The session that it was asked for in; None leaves it to the one that it is made in."""
        self.call: Call | None = None
        self._awaited = False
        self._outer: PendingCall | None = None

    def __enter__(self) -> None:
        self._outer = _pending.get()
        self._awaited = True
        _pending.set(self)

    def __exit__(self, *_: object) -> None:
        # A coroutine that was dropped is closed in another context. What its own still holds awaits nothing.
        self._awaited = False
        if _pending.get() is self:
            _pending.set(self._outer)
        self._outer = None

    def adopt(self, call: Call) -> None:
        """Give the call its id, metadata and session, unless another was first."""
        if self._awaited and self.call is None:
            self.call = call
            call.log_id = self.log_id
            call.metadata = self.metadata
            call.session = self.session or call.session


_pending: ContextVar[PendingCall | None] = ContextVar("llm_observe_pending_call", default=None)
