"""A chat turn in flight: reads the provider's answer in a task of its own and stores it however it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import llm_observe
import structlog

from server.chat.convert import to_finished
from server.chat.idle_timeout import IdleTimeout
from server.chat.provider_call import observed_call
from server.chat.providers import to_provider_error
from server.chat.stream_buffer import StreamBuffer
from server.rpc.errors import ShuttingDown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llm_observe import ChatResult, ChatStream
    from llm_observe.v1 import chat_service_pb2 as pb

    from server.chat.attempts import Attempt, ChatAttempts
    from server.chat.idle_timeout import Timer
    from server.chat.message_store import MessageStore

logger = structlog.get_logger("server")

_CLOSE_TIMEOUT_S: Final = 2.0
"""How long a provider's stream may take to close, in seconds."""

_TIMEOUT: Final = "PROVIDER_TIMEOUT"
"""The error code of a log, which is the reason that the client gets."""

Outcome = Literal["success", "error", "cancelled"]


class TurnLimits(NamedTuple):
    """How long an answer may take, and how long its provider may be silent, in seconds."""

    timeout_s: float
    idle_timeout_s: float


class _Ending(NamedTuple):
    outcome: Outcome
    error: Exception | None = None
    """What the reader gets after the text."""


def call_later(delay_s: float, callback: Callable[[], None]) -> Timer:
    """Schedule a time-out; tests put a clock of their own in its place."""
    return asyncio.get_running_loop().call_later(delay_s, callback)


class Turn:
    """Iterate it for the answer's text; the iteration ends, or raises, when the answer is stored.

    The time-outs are timers that end this task, never a scope around the RPC's own code: that is suspended
    where it writes to its client, for as long as the client likes.

    Args:
        request: What was asked.
        attempt: The ids to store it under.
        stream: The provider's answer; the provider is called when this begins to read it.
        store: Keeps the answer.
        attempts: Remembers how the attempt ended.
        limits: When to end it.
        cost_of: Returns what the call has cost, in nano-dollars.
        offered_model: The model, if the settings offer it; else empty.
    """

    def __init__(
        self,
        request: pb.ChatTurn,
        attempt: Attempt,
        stream: ChatStream,
        *,
        store: MessageStore,
        attempts: ChatAttempts,
        limits: TurnLimits,
        cost_of: Callable[[ChatStream], int | None],
        offered_model: str = "",
    ) -> None:
        self.attempt = attempt
        self._request = request
        self._stream = stream
        self._store = store
        self._attempts = attempts
        self._limits = limits
        self._cost_of = cost_of
        self._offered_model = offered_model
        self._finished: pb.ChatFinished | None = None
        self._buffer = StreamBuffer()
        self._stopped: _Ending | None = None
        self._reading = False
        self._closing: Timer | None = None
        self.task = asyncio.create_task(self._run(), name="chat-turn")

    def __aiter__(self) -> AsyncIterator[str]:
        return self._buffer

    def result(self) -> ChatResult:
        """Return the text and the numbers of the call, as far as they came."""
        return self._stream.result()

    def finished(self) -> pb.ChatFinished:
        """Return the last event of a successful answer, after its text."""
        assert self._finished is not None, "the iteration has ended without an error"  # noqa: S101 - narrows the type
        return self._finished

    def cancel(self, error: Exception | None = None) -> None:
        """Stop the provider and store what came as cancelled; the reader gets ``error`` after it."""
        self._stop(_Ending("cancelled", error))

    def _time_out(self) -> None:
        if self._stopped is None:
            self._stream.fail(_TIMEOUT)  # its log would say cancelled, as the task is
        self._stop(_Ending("error", TimeoutError()))

    def _stop(self, ending: _Ending) -> None:
        if self._stopped is None:
            self._stopped = ending
            if self._reading:  # storing is not interrupted
                self.task.cancel()
                # The cancelled stream closes its connection, which may hang.
                self._closing = call_later(_CLOSE_TIMEOUT_S, self._end_closing)

    def _end_closing(self) -> None:
        self.task.cancel()

    async def aclose(self) -> None:
        """Cancel the turn unless it has ended, and wait until it is stored."""
        self.cancel()
        # Waiting does not hand on the cancellation of a caller who is gone.
        await asyncio.wait([self.task])

    async def _run(self) -> None:
        ending = self._stopped or await self._call()
        error = ending.error
        if error is not None and ending.outcome == "error":
            error = to_provider_error(error, provider=self._request.provider, log_id=self._stream.log_id)
        try:
            await self._save(ending.outcome)
        except Exception as failure:  # noqa: BLE001 - the reader gets it
            error = error or failure
        self._buffer.end(error)
        await self._close_stream()  # last: it may hang

    async def _call(self) -> _Ending:
        """Read the answer, observed."""
        with observed_call(self._request.provider, self._offered_model) as call:
            ending = await self._read()
            error_type = type(ending.error).__name__ if ending.outcome == "error" else ""
            call.end(ending.outcome, error_type, self._stream.result())
        return ending

    async def _read(self) -> _Ending:
        """Read the answer until it ends or is stopped."""
        deadline = call_later(self._limits.timeout_s, self._time_out)
        idle = IdleTimeout(self._limits.idle_timeout_s, self._time_out, call_later)
        self._reading = True
        try:
            with llm_observe.session(
                self._request.session_id,
                user_id=self._request.user_id,
                conversation_id=str(self.attempt.conversation_id),
            ):
                await self._buffer.fill(self._stream, idle)
        except asyncio.CancelledError:
            return self._stopped or _Ending("cancelled", ShuttingDown())
        except Exception as error:  # noqa: BLE001 - whatever a vendor's client raises
            return self._stopped or _Ending("error", error)
        finally:
            self._reading = False
            deadline.cancel()
            idle.stop()
            if self._closing is not None:
                self._closing.cancel()
        return _Ending("success")

    async def _save(self, outcome: Outcome) -> None:
        """Store the answer and how the attempt ended; an answer that cannot be stored has failed."""
        finished = False
        try:
            result = self._stream.result()
            self._finished = to_finished(result, self._cost_of(self._stream))
            if result.text or outcome == "success":
                await self._store.add_answer(
                    self.attempt, result, provider=self._request.provider, outcome=outcome
                )
            if outcome == "success":
                await self._attempts.note_finished(self.attempt, self._finished)
                finished = True
        finally:
            if not finished:
                await self._note_failed()

    async def _note_failed(self) -> None:
        try:
            await self._attempts.note_failed(self.attempt)
        except Exception as error:  # noqa: BLE001 - the turn has ended all the same
            logger.warning("a failed chat turn cannot be retried yet", error=type(error).__name__)

    async def _close_stream(self) -> None:
        """Let the call be logged and its connection go."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._stream.aclose()
        except Exception as error:  # noqa: BLE001 - the answer is stored all the same
            logger.warning("a provider's stream did not close", error=type(error).__name__)
