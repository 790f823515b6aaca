"""Redacts logs as the Redactor does, but asks the compiled screen first: most texts hold nothing to find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.extensions import suspects_in

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log

_READ_CHARS: Final = 4_000
"""How much of a text the Redactor reads for a preview."""


def redact_log(redactor: Redactor, log: Log) -> None:
    """Clean, redact and cut every text of a log, in place."""
    redactor.redact_log(log, _screen)


def _screen(text: str) -> int:
    return suspects_in(text[:_READ_CHARS], _READ_CHARS)
