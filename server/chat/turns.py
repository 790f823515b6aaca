"""Begins chat turns: opens the conversation, reads its history, and asks the provider."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypedDict

from server.chat.turn import Turn, TurnLimits
from server.rpc.auth import caller
from server.rpc.errors import ShuttingDown

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe import ChatStream
    from llm_observe.v1 import chat_service_pb2 as pb

    from server.chat.attempts import Attempt, ChatAttempts
    from server.chat.message_store import MessageStore
    from server.chat.providers import Providers

_STORE_TIMEOUT_S: Final = 2.0
"""How long a drain waits for turns that it has cancelled to be stored, in seconds."""


class ChatTurns:
    """The turns in flight.

    Args:
        store: Conversations and messages.
        providers: Whom to ask.
        attempts: Remembers attempts of turns that have a request_id.
        register_log: Called with the log_id and the project of each call, before it is made.
        limits: When an answer is ended.
        cost_of: Returns what a call has cost, in nano-dollars.
    """

    def __init__(
        self,
        *,
        store: MessageStore,
        providers: Providers,
        attempts: ChatAttempts,
        register_log: Callable[[str, str], None],
        limits: TurnLimits,
        cost_of: Callable[[ChatStream], int | None],
    ) -> None:
        self._store = store
        self._providers = providers
        self._attempts = attempts
        self._register_log = register_log
        self._limits = limits
        self._cost_of = cost_of
        self._in_flight: set[Turn] = set()
        self._draining = False

    def check_accepting(self) -> None:
        """Check that turns may begin.

        Raises:
            ShuttingDown: drain() was called.
        """
        if self._draining:
            raise ShuttingDown

    async def begin(self, request: pb.ChatTurn, attempt: Attempt) -> Turn:
        """Store the user's message and start reading the provider's answer. The caller must close the turn.

        Raises:
            ConversationNotFound: The request names a conversation that does not exist.
            ConversationClosed: The conversation is cancelled or completed.
            ShuttingDown: drain() was called meanwhile.
        """
        try:
            stream = await self._prepare(request, attempt)
            self.check_accepting()
        except BaseException:  # a caller who leaves must be able to come again
            await asyncio.shield(self._attempts.note_failed(attempt))
            raise
        turn = Turn(
            request,
            attempt,
            stream,
            store=self._store,
            attempts=self._attempts,
            limits=self._limits,
            cost_of=self._cost_of,
            offered_model=self._providers.offered_model(request.provider, request.model),
        )
        self._in_flight.add(turn)
        turn.task.add_done_callback(lambda _: self._in_flight.discard(turn))
        return turn

    async def drain(self, grace_s: float) -> None:
        """Refuse new turns, let those in flight end within ``grace_s`` seconds, and cancel the rest."""
        self._draining = True
        await _wait_for(self._in_flight, grace_s)
        for turn in self._in_flight:
            turn.cancel(ShuttingDown())
        await _wait_for(self._in_flight, _STORE_TIMEOUT_S)

    async def _prepare(self, request: pb.ChatTurn, attempt: Attempt) -> ChatStream:
        if not request.conversation_id and not request.request_id:
            # Nothing to look up and nothing to remember: the user waits for every query.
            attempt.conversation_id = await self._store.start_conversation(request, attempt.user_message_id)
            return self._ask(request, attempt, [])
        is_new = not request.conversation_id and attempt.conversation_id is None
        if attempt.conversation_id is None:
            attempt.conversation_id = await self._store.open_conversation(request)
        history = [] if is_new else await self._store.history(attempt)
        stream = self._ask(request, attempt, history)
        await self._attempts.note_started(attempt)
        await self._store.add_user_message(attempt, request.content)
        return stream

    def _ask(self, request: pb.ChatTurn, attempt: Attempt, history: list[dict[str, str]]) -> ChatStream:
        """Return the provider's stream, which calls the provider when it is read."""
        stream = self._providers.client(request.provider).astream(
            [*history, {"role": "user", "content": request.content}],
            system=request.system_prompt,
            model=request.model or None,
            metadata=dict(request.metadata),
            **_options(request.parameters),
        )
        attempt.log_id = stream.log_id
        self._register_log(stream.log_id, caller().project_id)
        return stream


class _Options(TypedDict, total=False):
    temperature: float
    top_p: float
    max_output_tokens: int
    stop_sequences: tuple[str, ...]


def _options(parameters: pb.ChatParameters) -> _Options:
    """Return the parameters that are set: the provider chooses the others."""
    options: _Options = {}
    if parameters.HasField("temperature"):
        options["temperature"] = parameters.temperature
    if parameters.HasField("top_p"):
        options["top_p"] = parameters.top_p
    if parameters.HasField("max_output_tokens"):
        options["max_output_tokens"] = parameters.max_output_tokens
    if parameters.stop_sequences:
        options["stop_sequences"] = tuple(parameters.stop_sequences)
    return options


async def _wait_for(turns: set[Turn], timeout_s: float) -> None:
    if turns:
        await asyncio.wait([turn.task for turn in turns], timeout=timeout_s)
