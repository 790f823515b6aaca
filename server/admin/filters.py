"""Which dead letters a request selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.rpc.checks import check_text, parse_uuid
from server.rpc.errors import InvalidField
from server.rpc.times import parse_window
from storage.dead_letters import DeadLetterFilter

if TYPE_CHECKING:
    from llm_observe.v1.admin_service_pb2 import DeadLetterFilter as AskedDeadLetters

_DEAD_LETTER_IDS: Final = 1000
DEAD_LETTER_STATES: Final = ("", "waiting", "replayed", "discarded")
"""Words of llm_observe.v1.DeadLetterState, by number."""


def dead_letter_filter(asked: AskedDeadLetters, project_id: str) -> DeadLetterFilter:
    """Return which dead letters are meant, by default those that wait.

    Raises:
        InvalidField: An id is no UUID, there are too many, or a state is unknown.
    """
    if len(asked.dead_letter_ids) > _DEAD_LETTER_IDS:
        raise InvalidField([("filter.dead_letter_ids", f"at most {_DEAD_LETTER_IDS}")])
    check_text("filter.reason", asked.reason, most=100)
    if not all(1 <= state < len(DEAD_LETTER_STATES) for state in asked.states):
        raise InvalidField([("filter.states", "is not a known state")])
    window = parse_window(asked.time_range) if asked.HasField("time_range") else None
    return DeadLetterFilter(
        project_id=project_id,
        states=[DEAD_LETTER_STATES[state] for state in asked.states] or ["waiting"],
        ids=[parse_uuid("filter.dead_letter_ids", text) for text in asked.dead_letter_ids] or None,
        reason=asked.reason or None,
        start_time=window.start if window else None,
        end_time=window.end if window else None,
    )
