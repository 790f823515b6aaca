"""Rows of conversations and messages to messages of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe.v1.conversation_pb2 import CallStats, Conversation, ConversationState, Message, Role
from llm_observe.v1.log_pb2 import Outcome, UsageSource

from server.rpc.times import to_duration, to_timestamp

if TYPE_CHECKING:
    import asyncpg


def to_conversation(row: asyncpg.Record) -> Conversation:
    """Return a row of conversations."""
    same = ("session_id", "user_id", "title", "provider", "model", "message_count", "last_message_preview")
    return Conversation(
        conversation_id=str(row["conversation_id"]),
        state=ConversationState.Value(f"CONVERSATION_STATE_{row['state'].upper()}"),
        create_time=to_timestamp(row["create_time"]),
        update_time=to_timestamp(row["update_time"]),
        **{field: row[field] for field in same},
    )


def to_message(row: asyncpg.Record) -> Message:
    """Return a row of messages, with the numbers of its call once its log is stored."""
    message = Message(
        message_id=str(row["message_id"]),
        conversation_id=str(row["conversation_id"]),
        role=Role.Value(f"ROLE_{row['role'].upper()}"),
        content=row["content"],
        create_time=to_timestamp(row["create_time"]),
        log_id=str(row["log_id"] or ""),
        provider=row["provider"],
        model=row["model"],
        outcome=Outcome.Value(f"OUTCOME_{(row['outcome'] or 'unspecified').upper()}"),
    )
    if row["usage_source"]:
        message.call_stats.CopyFrom(_to_call_stats(row))
    return message


def _to_call_stats(row: asyncpg.Record) -> CallStats:
    stats = CallStats(usage_source=UsageSource.Value(f"USAGE_SOURCE_{row['usage_source'].upper()}"))
    for field in ("latency", "time_to_first_token"):
        if row[f"{field}_us"] is not None:
            getattr(stats, field).CopyFrom(to_duration(row[f"{field}_us"]))
    for field in ("input_token_count", "output_token_count", "total_token_count", "cost_nano_usd"):
        if row[field] is not None:
            setattr(stats, field, row[field])
    return stats
