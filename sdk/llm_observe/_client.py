"""LLMClient: one way to chat with every provider, recorded like any other call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from llm_observe._adapters import Adapter, ChatParameters, make_adapter
from llm_observe._call import PendingCall
from llm_observe._values import to_pairs
from llm_observe.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    Turns = str | Sequence[Mapping[str, str]]


class ChatResult(NamedTuple):
    """A whole answer and its numbers. Times are seconds; None means unknown."""

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
    """An answer as it comes. Iterate it (``for`` or ``async for``); ``result()`` tells the numbers after."""

    def __init__(self, pieces: Any, pending: PendingCall) -> None:
        self._pieces = pieces
        self._pending = pending
        self._text: list[str] = []
        self.log_id = pending.log_id

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._text:  # the call is made: nothing is left to name
            piece: str = next(self._pieces)
        else:
            with self._pending:
                piece = next(self._pieces)
        self._text.append(piece)
        return piece

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        if self._text:  # as above
            piece: str = await anext(self._pieces)
        else:
            with self._pending:
                piece = await anext(self._pieces)
        self._text.append(piece)
        return piece

    def close(self) -> None:
        """Stop the provider's stream; the call is recorded as cancelled unless it had ended."""
        self._pieces.close()

    async def aclose(self) -> None:
        """As close(), for a stream from astream()."""
        await self._pieces.aclose()

    def result(self) -> ChatResult:
        """Return what came so far, with the numbers of the call."""
        return _result("".join(self._text), self._pending)


class LLMClient:
    """Chats with one provider.

    Args:
        provider: ``openai``, ``anthropic``, ``gemini`` or ``demo``.
        model: The model; by default the provider's usual one.
        api_key: By default the vendor's own environment variable.
        base_url: Any server that speaks the vendor's protocol.

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

    def chat(self, turns: Turns, *, system: str = "", **options: Any) -> ChatResult:
        """Return the whole answer to ``turns``: a text, or ``{"role", "content"}`` mappings, oldest first.

        ``options`` are temperature, top_p, max_output_tokens, stop_sequences, model and metadata.
        """
        return _drain(self.stream(turns, system=system, **options))

    async def achat(self, turns: Turns, *, system: str = "", **options: Any) -> ChatResult:
        """As chat(), awaited."""
        answer = self.astream(turns, system=system, **options)
        async for _ in answer:
            pass
        return answer.result()

    def stream(self, turns: Turns, *, system: str = "", **options: Any) -> ChatStream:
        """Return the answer as it comes; nothing is sent before the first ``next()``.

        The call is recorded under the session in which this is called, wherever the answer is read.
        """
        model, parameters, pending = self._prepare(options)
        return ChatStream(self._adapter.stream(model, _messages(turns, system), parameters), pending)

    def astream(self, turns: Turns, *, system: str = "", **options: Any) -> ChatStream:
        """As stream(), for ``async for``."""
        model, parameters, pending = self._prepare(options)
        return ChatStream(self._adapter.astream(model, _messages(turns, system), parameters), pending)

    def close(self) -> None:
        """Let go of the vendor's connections used by chat() and stream()."""
        self._adapter.close()

    async def aclose(self) -> None:
        """Let go of all of the vendor's connections, those of achat() and astream() too."""
        self._adapter.close()
        await self._adapter.aclose()

    def _prepare(self, options: dict[str, Any]) -> tuple[str, ChatParameters, PendingCall]:
        model = options.pop("model", None) or self.model
        metadata = to_pairs(options.pop("metadata", None))
        return model, ChatParameters(**options), PendingCall(uuid7(), metadata)


def _messages(turns: Turns, system: str) -> list[dict[str, str]]:
    listed = (
        [{"role": "user", "content": turns}] if isinstance(turns, str) else [dict(turn) for turn in turns]
    )
    return [{"role": "system", "content": system}, *listed] if system else listed


def _drain(answer: ChatStream) -> ChatResult:
    for _ in answer:
        pass
    return answer.result()


def _result(text: str, pending: PendingCall) -> ChatResult:
    call = pending.call
    return ChatResult(
        text=text,
        log_id=pending.log_id,
        model=(call.response_model or call.model) if call else "",
        finish_reason=call.finish_reason if call else "",
        latency_s=_seconds(call.latency_ns) if call else None,
        time_to_first_token_s=_seconds(call.ttft_ns) if call else None,
        input_tokens=call.input_tokens if call else None,
        output_tokens=call.output_tokens if call else None,
        total_tokens=call.total_tokens if call else None,
    )


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9
