"""Checks the fields of a chat turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe.limits import (
    MAX_CONTENT_CHARS,
    MAX_METADATA_KEY_CHARS,
    MAX_METADATA_PAIRS,
    MAX_METADATA_VALUE_CHARS,
    MAX_TEXT_CHARS,
)

from server.rpc.checks import check_text, parse_uuid
from server.rpc.errors import InvalidField

if TYPE_CHECKING:
    from llm_observe.v1.chat_service_pb2 import ChatTurn

_MAX_TEMPERATURE: Final = 2
"""The vendors' limit, as is the next."""
_MAX_STOP_SEQUENCES: Final = 4
_MAX_STOP_CHARS: Final = 100
_MAX_OUTPUT_TOKENS: Final = 1_000_000


def check_turn(turn: ChatTurn) -> None:
    """Check a chat turn.

    Raises:
        InvalidField: A field breaks its rule.
    """
    check_text("turn.session_id", turn.session_id, min_chars=1, max_chars=MAX_TEXT_CHARS["session_id"])
    check_text("turn.provider", turn.provider, min_chars=1, max_chars=MAX_TEXT_CHARS["provider"])
    check_text("turn.model", turn.model, max_chars=MAX_TEXT_CHARS["model"])
    check_text("turn.content", turn.content, min_chars=1, max_chars=MAX_CONTENT_CHARS)
    check_text("turn.system_prompt", turn.system_prompt, max_chars=MAX_CONTENT_CHARS)
    check_text("turn.user_id", turn.user_id, max_chars=MAX_TEXT_CHARS["user_id"])
    if turn.conversation_id:
        parse_uuid("turn.conversation_id", turn.conversation_id)
    if turn.request_id:
        parse_uuid("turn.request_id", turn.request_id)
    _check_metadata(turn)
    _check_parameters(turn)


def _check_metadata(turn: ChatTurn) -> None:
    if len(turn.metadata) > MAX_METADATA_PAIRS:
        raise InvalidField([("turn.metadata", f"must have at most {MAX_METADATA_PAIRS} pairs")])
    for key, value in turn.metadata.items():
        check_text("turn.metadata", key, min_chars=1, max_chars=MAX_METADATA_KEY_CHARS)
        check_text("turn.metadata", value, max_chars=MAX_METADATA_VALUE_CHARS)


def _check_parameters(turn: ChatTurn) -> None:
    parameters = turn.parameters
    if parameters.HasField("temperature") and not 0 <= parameters.temperature <= _MAX_TEMPERATURE:
        raise InvalidField([("turn.parameters.temperature", f"must be between 0 and {_MAX_TEMPERATURE}")])
    if parameters.HasField("top_p") and not 0 < parameters.top_p <= 1:
        raise InvalidField([("turn.parameters.top_p", "must be greater than 0 and at most 1")])
    tokens = parameters.max_output_tokens
    if parameters.HasField("max_output_tokens") and not 1 <= tokens <= _MAX_OUTPUT_TOKENS:
        text = f"must be between 1 and {_MAX_OUTPUT_TOKENS}"
        raise InvalidField([("turn.parameters.max_output_tokens", text)])
    if len(parameters.stop_sequences) > _MAX_STOP_SEQUENCES:
        text = f"must have at most {_MAX_STOP_SEQUENCES} entries"
        raise InvalidField([("turn.parameters.stop_sequences", text)])
    for sequence in parameters.stop_sequences:
        check_text("turn.parameters.stop_sequences", sequence, min_chars=1, max_chars=_MAX_STOP_CHARS)
