"""ChatService: ids first, then text, then the numbers; what came is kept however it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import llm_observe
from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceServicer
from llm_observe.v1.conversation_pb2 import CallStats
from llm_observe.v1.log_pb2 import Outcome, UsageSource

from server.chat.checks import check_turn
from server.chat.idle_timeout import IdleTimeout
from server.chat.providers import to_provider_error
from server.chat.stream_buffer import StreamBuffer
from server.rpc.auth import caller
from server.rpc.errors import ShuttingDown
from server.rpc.times import to_duration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llm_observe import ChatResult, ChatStream

    from server.chat.attempts import Attempt, ChatAttempts
    from server.chat.providers import Providers
    from server.chat.turns import TurnStore
    from server.rpc.rate_limit import ChatLimits
    from server.settings import ServerSettings


@dataclass(slots=True)
class _Answer:
    """An answer in the making."""

    turn: pb.ChatTurn
    attempt: Attempt
    stream: ChatStream
    reading: StreamBuffer | None = None


class ChatService(ChatServiceServicer):
    """See chat_service.proto."""

    def __init__(
        self,
        *,
        store: TurnStore,
        providers: Providers,
        attempts: ChatAttempts,
        limits: ChatLimits,
        register_log: Callable[[str, str], None],
        settings: ServerSettings,
    ) -> None:
        self._store = store
        self._providers = providers
        self._attempts = attempts
        self._limits = limits
        self._register_log = register_log
        self._timeout_s = settings.chat_timeout_s
        self._idle_timeout_s = settings.chat_idle_timeout_s
        self._running: set[asyncio.Task[Any] | None] = set()
        self._draining = False

    async def drain(self, grace_s: float) -> None:
        """Take no new turns; let running answers end within grace_s seconds, and cut off what is left."""
        self._draining = True
        running = {task for task in self._running if task is not None}
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=2)

    async def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        return pb.ListModelsResponse(providers=self._providers.list_models())

    async def StreamChat(
        self, request: pb.StreamChatRequest, context: Any
    ) -> AsyncIterator[pb.StreamChatResponse]:
        attempt = await self._begin(request.turn)
        finished = attempt.finished
        if finished is not None:
            yield pb.StreamChatResponse(started=attempt.started())
            yield _delta(await self._store.content_of(attempt.message_id))
        else:
            answer = await self._prepare(request.turn, attempt)
            try:
                yield pb.StreamChatResponse(started=attempt.started())
            except BaseException:  # the caller has gone before the provider was asked
                await asyncio.shield(self._attempts.note_failed(attempt))
                raise
            async for text in self._run(answer):
                yield _delta(text)
            finished = _finished(answer.stream.result())
        yield pb.StreamChatResponse(finished=finished)

    async def Chat(self, request: pb.ChatRequest, context: Any) -> pb.ChatResponse:
        attempt = await self._begin(request.turn)
        if attempt.finished is not None:
            text = await self._store.content_of(attempt.message_id)
            return pb.ChatResponse(started=attempt.started(), content=text, finished=attempt.finished)
        answer = await self._prepare(request.turn, attempt)
        async for _ in self._run(answer):
            pass
        result = answer.stream.result()
        return pb.ChatResponse(started=attempt.started(), content=result.text, finished=_finished(result))

    async def _begin(self, turn: pb.ChatTurn) -> Attempt:
        """Check the turn and its limits, and return a try, or the finished one of an earlier request."""
        if self._draining:
            raise ShuttingDown
        check_turn(turn)
        self._providers.check(turn.provider)
        await self._limits.take(turn.session_id)
        return await self._attempts.begin(turn)

    async def _prepare(self, turn: pb.ChatTurn, attempt: Attempt) -> _Answer:
        """Store what the person said, and make the provider's stream ready."""
        try:
            if turn.conversation_id or turn.request_id:
                return await self._continue(turn, attempt)
            # Nothing to look up and nothing to remember: the person waits for every query.
            attempt.conversation_id = await self._store.start(turn, attempt.user_message_id)
            return self._make_answer(turn, attempt, [])
        except BaseException:  # a caller who leaves must be able to come again
            await asyncio.shield(self._attempts.note_failed(attempt))
            raise

    async def _continue(self, turn: pb.ChatTurn, attempt: Attempt) -> _Answer:
        """As _prepare(), where there may be a conversation or an earlier try."""
        fresh = attempt.conversation_id is None
        conversation_id = attempt.conversation_id or await self._store.open(turn)
        attempt.conversation_id = conversation_id
        history: list[dict[str, str]] = []
        if turn.conversation_id or not fresh:
            history = await self._store.history(conversation_id, attempt.user_message_id)
        answer = self._make_answer(turn, attempt, history)
        await self._attempts.note_started(attempt)
        await self._store.add_user_message(conversation_id, attempt.user_message_id, turn.content)
        return answer

    def _make_answer(self, turn: pb.ChatTurn, attempt: Attempt, history: list[dict[str, str]]) -> _Answer:
        """Make the provider's stream ready; the provider is asked when it is read."""
        stream = self._providers.client(turn.provider).astream(
            [*history, {"role": "user", "content": turn.content}],
            system=turn.system_prompt,
            model=turn.model or None,
            metadata=dict(turn.metadata),
            **_parameters(turn.parameters),
        )
        attempt.log_id = stream.log_id
        self._register_log(stream.log_id, caller().project_id)
        return _Answer(turn, attempt, stream)

    async def _run(self, answer: _Answer) -> AsyncIterator[str]:
        """Yield the answer's text; store it before this ends, whichever way it ends.

        A provider that falls silent is given up long before the whole turn is; a reader may take its time.
        """
        outcome = "cancelled"
        task = asyncio.current_task()
        self._running.add(task)
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                patience = IdleTimeout(limit, self._idle_timeout_s)
                answer.reading = self._read(answer)
                try:
                    patience.waiting()
                    while (text := await answer.reading.next()) is not None:
                        patience.done()
                        yield text
                        patience.waiting()
                finally:
                    patience.stop()
            outcome = "success"
        except (GeneratorExit, asyncio.CancelledError):
            raise
        except Exception as error:
            outcome = "error"
            log_id = answer.stream.log_id
            raise to_provider_error(error, provider=answer.turn.provider, log_id=log_id) from error
        finally:
            # Shielded: the caller may be gone, but what came must be kept.
            await asyncio.shield(self._keep(answer, outcome))
            self._running.discard(task)

    def _read(self, answer: _Answer) -> StreamBuffer:
        """Call the provider, the call recorded under the turn's session."""
        turn = answer.turn
        with llm_observe.session(
            turn.session_id, user_id=turn.user_id, conversation_id=str(answer.attempt.conversation_id)
        ):
            return StreamBuffer(answer.stream)

    async def _keep(self, answer: _Answer, outcome: str) -> None:
        if answer.reading is not None:
            await answer.reading.aclose()
        await answer.stream.aclose()
        result = answer.stream.result()
        attempt = answer.attempt
        if attempt.conversation_id is not None and (result.text or outcome == "success"):
            await self._store.add_answer(
                attempt.conversation_id,
                attempt.message_id,
                result.text,
                log_id=result.log_id,
                provider=answer.turn.provider,
                model=result.model,
                outcome=outcome,
            )
        if outcome == "success":
            await self._attempts.note_finished(attempt, _finished(result))
        else:
            await self._attempts.note_failed(attempt)


def _delta(text: str) -> pb.StreamChatResponse:
    return pb.StreamChatResponse(delta=pb.ChatDelta(text=text))


def _parameters(given: pb.ChatParameters) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        name: getattr(given, name)
        for name in ("temperature", "top_p", "max_output_tokens")
        if given.HasField(name)
    }
    if given.stop_sequences:
        chosen["stop_sequences"] = tuple(given.stop_sequences)
    return chosen


def _finished(result: ChatResult) -> pb.ChatFinished:
    stats = CallStats(usage_source=UsageSource.USAGE_SOURCE_MISSING)
    for name in ("input", "output", "total"):
        count = getattr(result, f"{name}_tokens")
        if count is not None:
            setattr(stats, f"{name}_token_count", count)
            stats.usage_source = UsageSource.USAGE_SOURCE_REPORTED
    if result.latency_s is not None:
        stats.latency.CopyFrom(to_duration(result.latency_s * 1e6))
    if result.time_to_first_token_s is not None:
        stats.time_to_first_token.CopyFrom(to_duration(result.time_to_first_token_s * 1e6))
    return pb.ChatFinished(
        call_stats=stats,
        finish_reason=result.finish_reason,
        response_model=result.model,
        outcome=Outcome.OUTCOME_SUCCESS,
    )
