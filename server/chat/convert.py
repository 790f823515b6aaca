"""Converts stored conversations, stored messages and results of calls to their protos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe.v1 import chat_service_pb2, conversation_pb2
from llm_observe.v1.conversation_pb2 import CallStats, ConversationState, Role
from llm_observe.v1.log_pb2 import Outcome, UsageSource

from server.rpc.times import to_duration, to_timestamp

if TYPE_CHECKING:
    from llm_observe import ChatResult

    from storage.conversations import CallNumbers, Conversation, Message

_COUNTS: Final = ("input_token_count", "output_token_count", "total_token_count", "cost_nano_usd")


def to_conversation(conversation: Conversation) -> conversation_pb2.Conversation:
    """Return a stored conversation as its proto."""
    return conversation_pb2.Conversation(
        conversation_id=str(conversation.conversation_id),
        session_id=conversation.session_id,
        user_id=conversation.user_id,
        title=conversation.title,
        state=ConversationState.Value(f"CONVERSATION_STATE_{conversation.state.upper()}"),
        provider=conversation.provider,
        model=conversation.model,
        message_count=conversation.message_count,
        last_message_preview=conversation.last_message_preview,
        create_time=to_timestamp(conversation.create_time),
        update_time=to_timestamp(conversation.update_time),
    )


def to_message(message: Message) -> conversation_pb2.Message:
    """Return a stored message as its proto, with the numbers of its call once its log is stored."""
    return conversation_pb2.Message(
        message_id=str(message.message_id),
        conversation_id=str(message.conversation_id),
        role=Role.Value(f"ROLE_{message.role.upper()}"),
        content=message.content,
        create_time=to_timestamp(message.create_time),
        log_id=str(message.log_id or ""),
        provider=message.provider,
        model=message.model,
        outcome=Outcome.Value(f"OUTCOME_{(message.outcome or 'unspecified').upper()}"),
        call_stats=None if message.numbers is None else _to_call_stats(message.numbers),
    )


def _to_call_stats(numbers: CallNumbers) -> CallStats:
    stats = CallStats(usage_source=UsageSource.Value(f"USAGE_SOURCE_{numbers.usage_source.upper()}"))
    if numbers.latency_us is not None:
        stats.latency.CopyFrom(to_duration(numbers.latency_us))
    if numbers.time_to_first_token_us is not None:
        stats.time_to_first_token.CopyFrom(to_duration(numbers.time_to_first_token_us))
    for name in _COUNTS:
        count = getattr(numbers, name)
        if count is not None:
            setattr(stats, name, count)
    return stats


def to_finished(result: ChatResult, cost_nano_usd: int | None) -> chat_service_pb2.ChatFinished:
    """Return the last event of a successful answer."""
    stats = CallStats(usage_source=UsageSource.USAGE_SOURCE_MISSING, cost_nano_usd=cost_nano_usd)
    for name in ("input", "output", "total"):
        count = getattr(result, f"{name}_tokens")
        if count is not None:
            setattr(stats, f"{name}_token_count", count)
            stats.usage_source = UsageSource.USAGE_SOURCE_REPORTED
    if result.latency_s is not None:
        stats.latency.CopyFrom(to_duration(result.latency_s * 1e6))
    if result.time_to_first_token_s is not None:
        stats.time_to_first_token.CopyFrom(to_duration(result.time_to_first_token_s * 1e6))
    return chat_service_pb2.ChatFinished(
        call_stats=stats,
        finish_reason=result.finish_reason,
        response_model=result.model,
        outcome=Outcome.OUTCOME_SUCCESS,
    )
