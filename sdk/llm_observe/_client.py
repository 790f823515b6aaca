"""LLMClient: one way to chat with every provider, recorded like any other call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from llm_observe._adapters import Adapter, ChatParameters, make_adapter
from llm_observe._answer_text import AnswerText
from llm_observe._call import ERROR, PendingCall
from llm_observe._values import clean, to_count, to_pairs, to_text
from llm_observe.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from typing import Unpack

    from llm_observe._adapters.base import MessageList
    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log

    Messages = str | Sequence[Mapping[str, str]]
    """The user's text, or mappings with ``role`` and ``content``, oldest first."""


class ChatOptions(TypedDict, total=False):
    """How to answer; what is left out or None is the provider's or the client's choice."""

    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    stop_sequences: Sequence[str]
    model: str | None
    """By default that of the client."""
    metadata: Mapping[str, str] | None
    """Free-form pairs of the log."""


class ChatResult(NamedTuple):
    """A complete answer with the numbers of its call. Times are in seconds; None means unknown."""

    text: str
    log_id: str
    model: str
    finish_reason: str
    latency_s: float | None
    time_to_first_token_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None


class ChatStream:
    """A streamed answer. Iterate it (``for`` or ``async for``), then read the numbers from ``result()``."""

    def __init__(self, chunks: Any, pending: PendingCall) -> None:
        self._chunks = chunks  # a generator of stream(), or an asynchronous one of astream()
        self._pending = pending
        self._text = AnswerText()
        self.log_id = pending.log_id

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = ""
        while not text:
            try:
                if self._text:  # the call has been made and has its id
                    text = self._text.add(next(self._chunks))
                else:
                    with self._pending:
                        text = self._text.add(next(self._chunks))
            except StopIteration:
                text = self._text.end()
                if not text:
                    raise
        return text

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        text = ""
        while not text:
            try:
                if self._text:  # as above
                    text = self._text.add(await anext(self._chunks))
                else:
                    with self._pending:
                        text = self._text.add(await anext(self._chunks))
            except StopAsyncIteration:
                text = self._text.end()
                if not text:
                    raise
        return text

    def close(self) -> None:
        """Stop the provider's stream. The call is recorded as cancelled unless it has ended."""
        self._chunks.close()

    async def aclose(self) -> None:
        """Like close(), for a stream from astream()."""
        await self._chunks.aclose()

    def fail(self, error_code: str) -> None:
        """Record the call as failed, unless it has ended; close() would record it as cancelled."""
        call = self._pending.call
        if call is not None and not call.finished:
            call.error_code = error_code
            call.finish(ERROR)

    def result(self) -> ChatResult:
        """Return the text received so far, with the numbers of the call."""
        return _result(str(self._text), self._pending)

    def log(self, redactor: Redactor) -> Log | None:
        """Return the call's log as far as it has come; None before the call is made.

        It is redacted, and has neither prompt nor answer, nor the environment and release of ``configure()``.
        """
        call = self._pending.call
        if call is None:
            return None
        return call.to_log(redactor, environment="", release="", capture_content=False)


class LLMClient:
    """Chats with one provider.

    Args:
        provider: ``openai``, ``anthropic``, ``gemini`` or ``demo``.
        model: Model of calls that name none; by default a model of the provider's.
        api_key: By default read from the vendor's own environment variable.
        base_url: Address of any server that speaks the vendor's protocol.

    Raises:
        ValueError: The provider is unknown.
        ImportError: The vendor's package is not installed.
    """

    def __init__(
        self,
        provider: str,
        model: str | None = None,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> None:
        self._adapter: Adapter = make_adapter(provider, api_key=api_key, base_url=base_url)
        self.provider = provider
        self.model = model or self._adapter.default_model

    def chat(self, messages: Messages, *, system: str = "", **options: Unpack[ChatOptions]) -> ChatResult:
        """Return the complete answer.

        ``messages`` is a text, or mappings with ``role`` and ``content``, oldest first. ``options`` are
        temperature, top_p, max_output_tokens, stop_sequences, model and metadata.
        """
        return _drain(self.stream(messages, system=system, **options))

    async def achat(
        self, messages: Messages, *, system: str = "", **options: Unpack[ChatOptions]
    ) -> ChatResult:
        """Like chat(), awaited."""
        answer = self.astream(messages, system=system, **options)
        async for _ in answer:
            pass
        return answer.result()

    def stream(self, messages: Messages, *, system: str = "", **options: Unpack[ChatOptions]) -> ChatStream:
        """Return the answer as a stream. The request is sent with the first ``next()``.

        The call belongs to the session in which stream() is called, wherever the stream is read.
        """
        model, parameters, pending = self._prepare(**options)
        return ChatStream(self._adapter.stream(model, _to_list(messages, system), parameters), pending)

    def astream(self, messages: Messages, *, system: str = "", **options: Unpack[ChatOptions]) -> ChatStream:
        """Like stream(), for ``async for``."""
        model, parameters, pending = self._prepare(**options)
        return ChatStream(self._adapter.astream(model, _to_list(messages, system), parameters), pending)

    def close(self) -> None:
        """Close the connections to the vendor that chat() and stream() use."""
        self._adapter.close()

    async def aclose(self) -> None:
        """Close all connections to the vendor, those of achat() and astream() included."""
        self._adapter.close()
        await self._adapter.aclose()

    def _prepare(
        self, *, model: str | None = None, metadata: Mapping[str, str] | None = None, **parameters: Any
    ) -> tuple[str, ChatParameters, PendingCall]:
        return model or self.model, ChatParameters(**parameters), PendingCall(uuid7(), to_pairs(metadata))


def _to_list(messages: Messages, system: str) -> MessageList:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    listed = [dict(message) for message in messages]
    return [{"role": "system", "content": system}, *listed] if system else listed


def _drain(answer: ChatStream) -> ChatResult:
    for _ in answer:
        pass
    return answer.result()


def _result(text: str, pending: PendingCall) -> ChatResult:
    call = pending.call  # its values are as the vendor's client has them, of any type
    return ChatResult(
        text=text,
        log_id=pending.log_id,
        model=clean(to_text(call.response_model) or call.model) if call else "",
        finish_reason=clean(to_text(call.finish_reason)) if call else "",
        latency_s=_seconds(call.latency_ns) if call else None,
        time_to_first_token_s=_seconds(call.ttft_ns) if call else None,
        input_tokens=to_count(call.input_tokens) if call else None,
        output_tokens=to_count(call.output_tokens) if call else None,
        total_tokens=to_count(call.total_tokens) if call else None,
    )


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9
