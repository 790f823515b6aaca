"""Dead-letter filters of requests, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe.v1.admin_service_pb2 import DeadLetterState

from server.rpc.checks import check_text, parse_uuid, parse_words
from server.rpc.errors import InvalidField
from server.rpc.times import parse_window
from storage.dead_letters import DeadLetterFilter

if TYPE_CHECKING:
    from llm_observe.v1 import admin_service_pb2 as pb

_MAX_IDS: Final = 1000


def parse_dead_letter_filter(message: pb.DeadLetterFilter, project_id: str) -> DeadLetterFilter:
    """Return the filter of a project's dead letters; without states it selects those that wait.

    Raises:
        InvalidField: There are too many ids, one is not a UUID, or a state is unknown.
    """
    if len(message.dead_letter_ids) > _MAX_IDS:
        raise InvalidField([("filter.dead_letter_ids", f"must have at most {_MAX_IDS} ids")])
    check_text("filter.reason", message.reason, max_chars=100)
    window = parse_window(message.time_range) if message.HasField("time_range") else None
    return DeadLetterFilter(
        project_id=project_id,
        states=parse_words("filter.states", message.states, DeadLetterState) or ["waiting"],
        ids=[parse_uuid("filter.dead_letter_ids", text) for text in message.dead_letter_ids] or None,
        reason=message.reason or None,
        start_time=window.start if window else None,
        end_time=window.end if window else None,
    )
