"""What one vendor's protocol says; the server knows the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WORDS: Final = (
    "Traces",
    "turn",
    "a",
    "model's",
    "work",
    "into",
    "numbers",
    "that",
    "a",
    "team",
    "can",
    "trust.",
)


class Answer(NamedTuple):
    """What the model is to say."""

    model: str
    words: list[str]
    input_tokens: int
    with_usage: bool
    """Whether a stream tells its usage unasked."""


class Dialect(NamedTuple):
    """How a vendor puts answers and errors."""

    whole: Callable[[Answer], dict[str, Any]]
    events: Callable[[Answer], Iterator[dict[str, Any]]]
    fault: Callable[[int], dict[str, Any]]
    request_id_header: str
    last_line: bytes = b""


def make_answer(model: str, body: dict[str, Any], *, chunks: int, padding: int = 0) -> Answer:
    """Return an answer of so many words; a token is a word, and three words of a prompt are four.

    ``padding`` makes each word so many characters longer.
    """
    asked = body.get("messages") or body.get("contents") or ()
    words = sum(len(str(turn.get("content") or turn.get("parts") or "").split()) for turn in asked)
    return Answer(
        model=model,
        words=[_WORDS[index % len(_WORDS)] + "x" * padding for index in range(chunks)],
        input_tokens=max(1, words * 4 // 3),
        with_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )
