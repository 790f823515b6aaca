"""Checks the fields of a chat turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.rpc.checks import check_text, parse_uuid
from server.rpc.errors import InvalidField

if TYPE_CHECKING:
    from llm_observe.v1.chat_service_pb2 import ChatTurn

_MAX_CONTENT_CHARS: Final = 100_000


def check_turn(turn: ChatTurn) -> None:
    """Check a chat turn.

    Raises:
        InvalidField: A field breaks its rule.
    """
    check_text("turn.session_id", turn.session_id, min_chars=1, max_chars=200)
    check_text("turn.provider", turn.provider, min_chars=1, max_chars=64)
    check_text("turn.model", turn.model, max_chars=200)
    check_text("turn.content", turn.content, min_chars=1, max_chars=_MAX_CONTENT_CHARS)
    check_text("turn.system_prompt", turn.system_prompt, max_chars=_MAX_CONTENT_CHARS)
    check_text("turn.user_id", turn.user_id, max_chars=200)
    if turn.conversation_id:
        parse_uuid("turn.conversation_id", turn.conversation_id)
    if turn.request_id:
        parse_uuid("turn.request_id", turn.request_id)
    _check_metadata(turn)
    _check_parameters(turn)


def _check_metadata(turn: ChatTurn) -> None:
    if len(turn.metadata) > 50:  # noqa: PLR2004 - Log.metadata's limits
        raise InvalidField([("turn.metadata", "at most 50 pairs")])
    for key, value in turn.metadata.items():
        check_text("turn.metadata", key, min_chars=1, max_chars=64)
        check_text("turn.metadata", value, max_chars=500)


def _check_parameters(turn: ChatTurn) -> None:
    parameters = turn.parameters
    if parameters.HasField("temperature") and not 0 <= parameters.temperature <= 2:  # noqa: PLR2004 - the vendors' range
        raise InvalidField([("turn.parameters.temperature", "0 to 2")])
    if parameters.HasField("top_p") and not 0 < parameters.top_p <= 1:
        raise InvalidField([("turn.parameters.top_p", "above 0, at most 1")])
    if parameters.HasField("max_output_tokens") and not 1 <= parameters.max_output_tokens <= 1_000_000:  # noqa: PLR2004 - sanity
        raise InvalidField([("turn.parameters.max_output_tokens", "1 to 1000000")])
    if len(parameters.stop_sequences) > 4:  # noqa: PLR2004 - OpenAI's limit
        raise InvalidField([("turn.parameters.stop_sequences", "at most 4")])
    for sequence in parameters.stop_sequences:
        check_text("turn.parameters.stop_sequences", sequence, min_chars=1, max_chars=100)
