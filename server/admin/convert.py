"""Converts the state of the queue, and rows of dead letters, the ledger, projects and keys, to messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llm_observe.v1.admin_service_pb2 import (
    ApiKey,
    ApiKeyRole,
    DeadLetter,
    DeadLetterState,
    LedgerEntry,
    Project,
)
from llm_observe.v1.health_service_pb2 import QueueHealth

from codec.words import words_of
from server.rpc.times import to_duration, to_timestamp

if TYPE_CHECKING:
    from collections.abc import Collection

    from storage import api_keys, dead_letters, ledger
    from worker.queue.log_queue import QueueStats


def to_queue_health(stats: QueueStats) -> QueueHealth:
    """Convert the state of the queue."""
    queue = QueueHealth(
        depth=stats.depth,
        pending_count=stats.pending,
        delayed_count=stats.delayed,
        consumer_count=stats.consumers,
    )
    if stats.oldest_age_s is not None:
        queue.oldest_age.CopyFrom(to_duration(stats.oldest_age_s * 1e6))
    return queue


def to_dead_letter(row: dead_letters.DeadLetter) -> DeadLetter:
    """Convert a dead letter, with its payload where the query selected it."""
    return DeadLetter(
        dead_letter_id=str(row.dead_letter_id),
        reason=row.reason,
        message=row.message,
        log_id=row.log_id,
        attempt_count=row.attempt_count,
        first_attempt_time=to_timestamp(row.first_attempt_time),
        last_attempt_time=to_timestamp(row.last_attempt_time),
        state=words_of(DeadLetterState).index(row.state),  # type: ignore[arg-type] # the enum's number
        log_count=row.log_count,
        payload_json=row.payload,
        producer_id=row.producer_id,
    )


def to_project(row: api_keys.Project) -> Project:
    """Convert a project."""
    return Project(
        project_id=row.project_id,
        display_name=row.display_name,
        create_time=to_timestamp(row.create_time),
    )


def to_api_key(row: api_keys.ApiKey) -> ApiKey:
    """Convert an API key. Of its secret, the message has the prefix only."""
    key = ApiKey(
        api_key_id=str(row.api_key_id),
        project_id=row.project_id,
        display_name=row.display_name,
        prefix=row.prefix,
        roles=to_roles(row.roles),
    )
    for field in ("create_time", "expire_time", "revoke_time", "last_use_time"):
        if getattr(row, field) is not None:
            getattr(key, field).CopyFrom(to_timestamp(getattr(row, field)))
    return key


def to_roles(roles: Collection[str]) -> list[ApiKeyRole.ValueType]:
    """Convert roles, in the order of the enum."""
    return [number for number, word in enumerate(words_of(ApiKeyRole)) if word in roles]  # type: ignore[misc] # the enum's number


def to_ledger_entry(row: ledger.LedgerEntry) -> LedgerEntry:
    """Convert a producer's hour.

    Producers report totals: what it dropped is the difference to the hour before.
    """
    before, after = json.loads(row.dropped_before), json.loads(row.dropped_totals)
    dropped = {reason: total - before.get(reason, 0) for reason, total in after.items()}
    return LedgerEntry(
        producer_id=row.producer_id,
        hour=to_timestamp(row.hour),
        sent_count=row.sent_count,
        stored_count=row.stored_count,
        duplicate_count=row.duplicate_count,
        rejected_count=row.rejected_count,
        dead_lettered_count=row.dead_lettered_count,
        dropped_counts={reason: count for reason, count in dropped.items() if count},
        missing_batch_count=max(0, row.missing_batch_count),
        sdk=row.sdk,
    )
