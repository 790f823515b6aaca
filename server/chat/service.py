"""ChatService: checks a turn, begins it, and sends its answer as it comes."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceServicer

from server.chat.checks import check_turn
from server.chat.turn import TurnLimits
from server.chat.turns import ChatTurns

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from server.chat.attempts import Attempt, ChatAttempts
    from server.chat.costs import ChatCosts
    from server.chat.message_store import MessageStore
    from server.chat.providers import Providers
    from server.rpc.context import Context
    from server.rpc.rate_limit import ChatLimits
    from server.settings import ServerSettings


class ChatService(ChatServiceServicer):
    """See chat_service.proto."""

    def __init__(
        self,
        *,
        store: MessageStore,
        providers: Providers,
        attempts: ChatAttempts,
        limits: ChatLimits,
        register_log: Callable[[str, str], None],
        costs: ChatCosts,
        settings: ServerSettings,
    ) -> None:
        self._store = store
        self._providers = providers
        self._attempts = attempts
        self._limits = limits
        self._turns = ChatTurns(
            store=store,
            providers=providers,
            attempts=attempts,
            register_log=register_log,
            limits=TurnLimits(settings.chat_timeout_s, settings.chat_idle_timeout_s),
            cost_of=costs.cost_of,
        )

    async def drain(self, grace_s: float) -> None:
        """Refuse new turns, let those in flight end within ``grace_s`` seconds, and cancel the rest."""
        await self._turns.drain(grace_s)

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        return pb.ListModelsResponse(providers=self._providers.list_models())

    async def StreamChat(
        self, request: pb.StreamChatRequest, context: Context
    ) -> AsyncGenerator[pb.StreamChatResponse, None]:
        attempt = await self._check(request.turn)
        if attempt.finished is not None:
            yield pb.StreamChatResponse(started=attempt.started())
            yield pb.StreamChatResponse(delta=pb.ChatDelta(text=await self._store.content_of(attempt)))
            yield pb.StreamChatResponse(finished=attempt.finished)
            return
        async with aclosing(await self._turns.begin(request.turn, attempt)) as turn:
            yield pb.StreamChatResponse(started=attempt.started())
            async for text in turn:
                yield pb.StreamChatResponse(delta=pb.ChatDelta(text=text))
            yield pb.StreamChatResponse(finished=turn.finished())

    async def Chat(self, request: pb.ChatRequest, context: Context) -> pb.ChatResponse:
        attempt = await self._check(request.turn)
        if attempt.finished is not None:
            text = await self._store.content_of(attempt)
            return pb.ChatResponse(started=attempt.started(), content=text, finished=attempt.finished)
        async with aclosing(await self._turns.begin(request.turn, attempt)) as turn:
            async for _ in turn:
                pass
            return pb.ChatResponse(
                started=attempt.started(), content=turn.result().text, finished=turn.finished()
            )

    async def _check(self, turn: pb.ChatTurn) -> Attempt:
        """Check the turn and its limits; return a new attempt, or the finished one of an earlier request."""
        self._turns.check_accepting()
        check_turn(turn)
        self._providers.check(turn.provider)
        await self._limits.take(turn.session_id)
        return await self._attempts.begin(turn)
