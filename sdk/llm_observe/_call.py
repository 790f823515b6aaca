"""One call to a model: what the calling thread records, and how it becomes a Log.

The calling thread only stores references to text, numbers and clock readings. The sender's thread joins,
redacts and cuts the text and builds the Log (``to_log``). A value that is not text is converted at once: a
reference would keep its memory alive, and the value may change.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from sys import getsizeof
from typing import TYPE_CHECKING, Final

from llm_observe._background import forget, keep
from llm_observe._guard import attempt
from llm_observe._scope import current_scope
from llm_observe._session import current_session
from llm_observe._values import KEPT_TEXT_CHARS, to_content, to_kept_text, to_text
from llm_observe.trace_context import current_span_context, span_around

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llm_observe._session import Session
    from llm_observe._vendor import VendorObject
    from llm_observe.redaction import Redactor
    from llm_observe.trace_context import SpanContext
    from llm_observe.v1.log_pb2 import Log

    TextOf = Callable[[VendorObject], str | None]

SUCCESS: Final = 1
"""The outcomes have the numbers of llm_observe.v1.Outcome; importing the enum would load protobuf."""
ERROR: Final = 2
CANCELLED: Final = 3

_OVERHEAD_BYTES: Final = 1_000
"""Memory of a queued Call without its text: under 600 bytes, measured with tracemalloc. The rest is for short
texts, whose objects take 50 bytes beside the characters, and for what the allocator leaves unused."""
_SHORT_TEXTS: Final = (
    "provider", "model", "response_model", "finish_reason", "provider_request_id", "provider_response_id",
    "service_tier", "server_address", "error_code", "error_message",
)  # fmt: skip


class Call:
    """One call to a model. Times ending in ``_ns`` are nanoseconds; ``mono`` is the monotonic clock."""

    # Slots: with more than 30 attributes, each instance would have a dict of its own, of 2 kB.
    __slots__ = (
        "audio_input_tokens", "audio_output_tokens", "background_id", "cache_read_tokens",
        "cache_write_1h_tokens", "cache_write_tokens", "end_seen", "error_code", "error_message",
        "finish_reason", "finished", "http_status", "input_text", "input_tokens", "kind", "last_chunk",
        "latency_ns", "log_id", "metadata", "model", "mono_start_ns", "needs_end", "operation", "outcome",
        "output_chars", "output_chunks", "output_tokens", "provider", "provider_request_id",
        "provider_response_id", "read_last", "reasoning_tokens", "reported_cost_nano_usd", "response_model",
        "retry_count", "server_address", "service_tier", "session", "sink", "span_context", "start_ns",
        "streamed", "text_of", "total_tokens", "ttft_ns", "usage_parts", "waiting_bytes",
    )  # fmt: skip
    provider: str
    operation: str
    model: str
    sink: Callable[[Call], None]
    session: Session
    span_context: SpanContext | None
    output_chunks: list[str]
    start_ns: int
    mono_start_ns: int

    def __init__(self, provider: str, operation: str, model: object, sink: Callable[[Call], None]) -> None:
        self.set_unknown()
        self.provider = provider
        self.operation = operation
        self.model = (model if type(model) is str else to_text(model))[:KEPT_TEXT_CHARS]
        self.sink = sink
        self.session = current_session()
        own = self.session.span
        self.span_context = current_span_context() if own is None else span_around(own)
        self.output_chunks = []
        pending = _pending.get()
        if pending is not None:
            pending.adopt(self)
        self.start_ns = time.time_ns()
        self.mono_start_ns = time.perf_counter_ns()

    def set_unknown(self) -> None:
        """Set the defaults of all that is not known yet."""
        self.kind = ""
        """The kind of request, for the provider's reader."""
        self.log_id = ""
        self.metadata: tuple[tuple[str, str], ...] = ()
        self.input_text: tuple[str, ...] = ()
        self.output_chars = 0
        self.outcome = SUCCESS
        self.streamed = False
        self.latency_ns: int | None = None
        self.ttft_ns: int | None = None
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.total_tokens: int | None = None
        self.cache_read_tokens: int | None = None
        self.cache_write_tokens: int | None = None
        self.reasoning_tokens: int | None = None
        self.cache_write_1h_tokens: int | None = None
        self.audio_input_tokens: int | None = None
        self.audio_output_tokens: int | None = None
        self.reported_cost_nano_usd: int | None = None
        self.retry_count: int | None = None
        self.response_model = ""
        self.finish_reason = ""
        self.provider_request_id = ""
        self.provider_response_id = ""
        self.service_tier = ""
        self.server_address = ""
        self.error_code = ""
        self.error_message = ""
        self.http_status: int | None = None
        self.text_of: TextOf | None = None
        """Returns a chunk's text, if nearly all chunks have nothing else. It may raise for others."""
        self.waiting_bytes = 0
        """Size that was added to the queue's for this call."""
        self.last_chunk: VendorObject = None
        """A chunk whose numbers are read when the stream ends."""
        self.read_last: Callable[[VendorObject, Call], None] | None = None
        """Reads them; None if such chunks have no numbers."""
        self.needs_end = False
        """Whether the answer shows that it is complete. Without such evidence, it is not a success."""
        self.end_seen = False
        """Whether there was evidence that the answer is complete."""
        self.background_id = ""
        """Id of an answer that the provider makes in the background."""
        self.usage_parts: dict[str, int] | None = None
        """The counts from which a provider's usage is added up."""
        self.finished = False
        """Whether the call has been passed to the sink."""

    def note_first_token(self) -> None:
        """Record the time to first token, once."""
        if self.ttft_ns is None:
            self.ttft_ns = time.perf_counter_ns() - self.mono_start_ns

    def keep_input(self, texts: Iterable[str]) -> None:
        """Keep a copy of as much of the prompt's texts as a preview may show."""
        room, kept = KEPT_TEXT_CHARS, []
        for text in texts:
            if room <= 0:
                break
            kept.append(text[:room])  # the same object, if it is short enough
            room -= len(text)
        self.input_text = tuple(kept)

    def add_output(self, text: object) -> None:
        """Keep a chunk of the answer while the preview has room; what is not text is converted."""
        room = KEPT_TEXT_CHARS - self.output_chars
        if room > 0:
            if type(text) is not str:
                text = to_content(text)
            if len(text) > room:
                text = text[:room]
            self.output_chunks.append(text)
            self.output_chars += len(text)

    def restart_output(self) -> None:
        """Forget the chunks of the answer: they come again."""
        self.output_chunks.clear()  # not a new list: the stream that is read adds to this one
        self.output_chars = 0

    def read_last_chunk(self) -> None:
        """Read what was left of the last chunk."""
        chunk, self.last_chunk = self.last_chunk, None
        if chunk is None or self.read_last is None:
            return
        if not attempt("read_last", self.read_last, chunk, self):
            self.needs_end = False  # the end may have been in the chunk

    def finish(self, outcome: int = SUCCESS) -> None:
        """End the call and pass it to the sender. Only the first time counts.

        The outcome is what the application saw. But an answer that reports a failure is one, even if its HTTP
        status is 200; one that was complete or failed before it was left is no cancelled one; and one that
        breaks off no success.
        """
        if self.finished:
            return
        if self.last_chunk is not None:
            self.read_last_chunk()
        if self.background_id:
            if not self.end_seen:
                self._await_end()
                return
            forget(self)
        self.finished = True
        try:
            self.latency_ns = time.perf_counter_ns() - self.mono_start_ns
            if outcome == SUCCESS and self.end_seen and not self.error_code:  # as _judge(), without its frame
                outcome = self.outcome
            elif outcome == SUCCESS or (outcome == CANCELLED and (self.end_seen or self.error_code)):
                outcome = self._judge()
        finally:  # an interrupt, such as KeyboardInterrupt, costs no log
            self.outcome = outcome
            self.sink(self)

    def _judge(self) -> int:
        """Return the outcome that the answer itself shows."""
        if self.needs_end and not self.end_seen and not self.error_code:
            self.error_code = "stream_incomplete" if self.streamed else "no_answer"
        return ERROR if self.error_code else self.outcome

    def _await_end(self) -> None:
        """Keep the call until the application asks for its response again."""
        oldest = keep(self)
        if oldest is not None:
            oldest.abandon()

    def abandon(self) -> None:
        """End a call in the background whose end the application will not see."""
        self.background_id = ""
        self.finish(CANCELLED)

    def compact(self) -> int:
        """Join and cut the texts; return the memory that the call holds while it is queued, in bytes."""
        return (
            _OVERHEAD_BYTES
            + self._join_output()
            + sum(map(getsizeof, self.input_text))
            + self._cut_short_texts()
            + (_pairs_chars(self.metadata) if self.metadata else 0)
            + session_chars(self.session)
        )

    def _join_output(self) -> int:
        try:
            text = "".join(self.output_chunks)
        except TypeError:  # a server's own kind of content
            text = "".join(map(to_content, self.output_chunks))
        self.output_chunks = [text if len(text) <= KEPT_TEXT_CHARS else text[:KEPT_TEXT_CHARS]]
        return getsizeof(self.output_chunks[0])

    def _cut_short_texts(self) -> int:
        texts = (
            self.provider, self.model, self.response_model, self.finish_reason, self.provider_request_id,
            self.provider_response_id, self.service_tier, self.server_address, self.error_code,
            self.error_message,
        )  # fmt: skip
        try:
            size = len("".join(texts))
        except TypeError:  # a vendor's value of another type
            size = KEPT_TEXT_CHARS + 1
        return size if size <= KEPT_TEXT_CHARS else sum(map(self._cut_text, _SHORT_TEXTS))

    def _cut_text(self, name: str) -> int:
        text = to_kept_text(getattr(self, name))
        setattr(self, name, text)
        return len(text)

    def to_log(self, redactor: Redactor, *, environment: str, release: str, capture_content: bool) -> Log:
        """Build the redacted Log. Runs on the sender's thread."""
        from llm_observe._log_builder import build_log  # noqa: PLC0415 - protobuf is loaded with the first send

        return build_log(
            self, redactor, environment=environment, release=release, capture_content=capture_content
        )


def _pairs_chars(pairs: tuple[tuple[str, str], ...]) -> int:
    return sum(len(key) + len(value) for key, value in pairs)


def session_chars(session: Session) -> int:
    """Count a session's text. Calls of one session share it, but each may be of its own session."""
    session_id, user_id, conversation_id, tags, metadata, _ = session
    ids = len(session_id) + len(user_id) + len(conversation_id)
    return ids + sum(map(len, tags)) + _pairs_chars(metadata) if tags or metadata else ids


class PendingCall:
    """A call that LLMClient is about to make: the first call made inside ``with`` gets its id."""

    __slots__ = ("_awaited", "_outer", "call", "log_id", "metadata", "session")

    def __init__(self, log_id: str, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.log_id = log_id
        self.metadata = metadata
        scope = current_scope()
        self.session = None if scope is None else scope.session
        """The session in which the call was requested; None means the one in which it is made."""
        self.call: Call | None = None
        self._awaited = False
        self._outer: PendingCall | None = None

    def __enter__(self) -> None:
        self._outer = _pending.get()
        self._awaited = True
        _pending.set(self)

    def __exit__(self, *_: object) -> None:
        # A dropped coroutine is closed in another context; its own context still refers to this object.
        self._awaited = False
        if _pending.get() is self:
            _pending.set(self._outer)
        self._outer = None

    def adopt(self, call: Call) -> None:
        """Give the call our id, metadata and session, unless another call was first."""
        if self._awaited and self.call is None:
            self.call = call
            call.log_id = self.log_id
            call.metadata = self.metadata
            if self.session is not None:
                call.session = self.session
                if self.session.span is not None:
                    call.span_context = span_around(self.session.span)


_pending: ContextVar[PendingCall | None] = ContextVar("llm_observe_pending_call", default=None)
