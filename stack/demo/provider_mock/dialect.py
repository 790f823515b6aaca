"""What differs between the vendors' protocols; the mock's server does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
"""A JSON object, as a request or an answer of HTTP."""
_WORDS: Final = (
    "Traces", "turn", "a", "model's", "work", "into", "numbers", "that", "a", "team", "can", "trust.",
)  # fmt: skip


class Answer(NamedTuple):
    """What the model says."""

    model: str
    words: list[str]
    input_tokens: int
    with_usage: bool
    """Whether a stream reports its usage."""


class Dialect(NamedTuple):
    """How a vendor writes answers and errors."""

    whole: Callable[[Answer], Json]
    events: Callable[[Answer], Iterator[Json]]
    error: Callable[[int], Json]
    request_id_header: str
    last_line: bytes = b""


def make_answer(model: str, body: Json, *, text: str = "", chunks: int = 12, padding: int = 0) -> Answer:
    """Return an answer of ``text``, or of so many stock words; a token is a word, four of three in a prompt.

    ``padding`` makes each stock word so many characters longer.
    """
    messages = body.get("messages") or body.get("contents") or ()
    prompt = [str(message.get("content") or message.get("parts") or "") for message in messages]
    stock = [_WORDS[index % len(_WORDS)] + "x" * padding for index in range(chunks)]
    return Answer(
        model=model,
        words=text.split(" ") if text else stock,
        input_tokens=max(1, sum(len(message.split()) for message in prompt) * 4 // 3),
        with_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )
