"""What a field's value can be taken from: the name of an attribute, or one of these functions over a span."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from codec.otlp.messages import answer_text, last_user_text, text_of
from codec.otlp.usage import Usage
from codec.otlp.values import MAX_MESSAGES_CHARS, dig, parse_json, to_list, to_number, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codec.otlp.span import Span
    from codec.otlp.values import Value

Read: TypeAlias = "Callable[[Span], Value]"
_MAX_INDEX: Final = 2_000
_MAX_INDEX_DIGITS: Final = 4
_NANOS: Final = 1_000_000_000


class Reader(NamedTuple):
    """A function over a span, which finds something only where the span has one of some attributes."""

    read: Read
    keys: tuple[str, ...]

    def __call__(self, span: Span) -> Value:
        """Return what it finds; None where there is nothing."""
        return self.read(span)


Source: TypeAlias = "str | Reader | Read"
"""The name of an attribute, or a function that is asked of every span unless it is a Reader."""


class Role(NamedTuple):
    """What a span is."""

    is_call: bool
    operation: str
    """As OpenTelemetry names it; empty where nothing says."""


@dataclass(frozen=True, eq=False)
class Dialect:
    """What a family of emitters writes."""

    name: str
    role_of: Callable[[Span], Role | None]
    """Says what a span is; None for spans of others."""
    sources: Mapping[str, Sequence[Source]] = field(default_factory=dict)
    """By field of a log: what its value is taken from, the best first."""
    usage: Callable[[Span], Usage] = lambda _: Usage()
    """Reads the counts of tokens."""
    prefixes: frozenset[str] = frozenset()
    """How its attributes begin, up to the first point: only spans with one of these are read by it."""
    is_shared: bool = True
    """Whether spans of other emitters are read by its sources, too, after their own."""
    ends_are_told: bool = True
    """Whether the emitter tells why a model stopped: a call without a reason was left before its end."""


def seconds(key: str) -> Reader:
    """Take a duration in seconds, as nanoseconds."""
    return Reader(lambda span: _scaled(span.attributes.get(key), _NANOS), (key,))


def milliseconds(key: str) -> Reader:
    """Take a duration in milliseconds, as nanoseconds."""
    return Reader(lambda span: _scaled(span.attributes.get(key), 1_000_000), (key,))


def seconds_or_milliseconds(key: str) -> Reader:
    """Take a duration in seconds, or in milliseconds where seconds would be longer than the call."""

    def read(span: Span) -> Value:
        as_seconds = _scaled(span.attributes.get(key), _NANOS)
        if as_seconds is None or as_seconds <= span.duration_ns:
            return as_seconds
        return _scaled(span.attributes.get(key), 1_000_000)

    return Reader(read, (key,))


def until_event(*names: str) -> Read:
    """Take the time from the start to the first event of a name, in nanoseconds."""

    def read(span: Span) -> Value:
        if not span.events:
            return None
        times = [
            event.time_ns for event in span.events if event.name in names and event.time_ns >= span.start_ns
        ]
        return min(times) - span.start_ns if times else None

    return read


def until_instant(key: str) -> Reader:
    """Take the time from the start to an instant, in ISO 8601 and maybe in quotes, in nanoseconds."""

    def read(span: Span) -> Value:
        text = to_text(span.attributes.get(key))
        try:
            instant = datetime.fromisoformat((text or "").strip('"'))
        except ValueError:
            return None
        instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        elapsed = round(instant.timestamp() * 1_000_000) * 1_000 - span.start_ns
        return elapsed if elapsed >= 0 else None

    return Reader(read, (key,))


def within(key: str, *path: str | int) -> Reader:
    """Take what stands under a path in an attribute that is JSON text or a map."""
    return Reader(lambda span: dig(span.messages(key), *path), (key,))


def seconds_within(key: str, *path: str | int) -> Reader:
    """Take a duration in seconds that stands under a path, as nanoseconds."""
    return Reader(lambda span: _scaled(dig(span.json(key), *path), _NANOS), (key,))


def json_text(key: str) -> Reader:
    """Take a text that may be written as JSON, in quotes."""

    def read(span: Span) -> Value:
        value = span.attributes.get(key)
        return span.json(key) if isinstance(value, str) and value[:1] == '"' else value

    return Reader(read, (key,))


def first_of(key: str) -> Reader:
    """Take the first of a list, which may be JSON text; of an empty one an empty text."""

    def read(span: Span) -> Value:
        value = span.attributes.get(key)
        if value is None:
            return None
        items = to_list(value)
        return items[0] if items else ""

    return Reader(read, (key,))


def user_text(key: str) -> Reader:
    """Take the newest text of the user's among messages."""
    return Reader(lambda span: last_user_text(span.messages(key)) if key in span.attributes else None, (key,))


def answer(key: str) -> Reader:
    """Take the text of the model's answer."""
    return Reader(lambda span: answer_text(span.messages(key)) if key in span.attributes else None, (key,))


def indexed(prefix: str, infix: str = "") -> Callable[[Span], list[dict[str, Value]]]:
    """Read messages that are spread over attributes such as ``prefix.0.role`` and ``prefix.0.content``."""

    def read(span: Span) -> list[dict[str, Value]]:
        found: dict[int, dict[str, Value]] = {}
        start = f"{prefix}."
        for key, value in span.attributes.items():
            if key.startswith(start):
                index, _, rest = key[len(start) :].partition(".")
                if index.isdigit() and len(index) <= _MAX_INDEX_DIGITS and len(found) < _MAX_INDEX:
                    found.setdefault(int(index), {})[rest.removeprefix(infix)] = value
        return [_assembled(found[index]) for index in sorted(found)]

    return read


def _assembled(flat: dict[str, Value]) -> dict[str, Value]:
    """Put a message's parts together: ``contents.0.message_content.text`` become the list of its content."""
    parts = [
        value
        for key, value in flat.items()
        if key.startswith("contents.") and key.endswith((".text", ".message_content.text"))
    ]
    content = flat.get("content") or [{"type": "text", "text": part} for part in parts]
    if isinstance(content, str) and content.startswith("[{"):
        parsed = parse_json(content, MAX_MESSAGES_CHARS)
        content = content if parsed is None else parsed
    return {"role": flat.get("role"), "content": content, "finish_reason": flat.get("finish_reason")}


def indexed_user_text(prefix: str, infix: str = "") -> Reader:
    """Take the newest text of the user's among messages that are spread over attributes."""
    read, first = indexed(prefix, infix), f"{prefix}.0.{infix}role"
    return Reader(
        lambda span: last_user_text(list(read(span))) if first in span.attributes else None, (first,)
    )


def indexed_answer(prefix: str, infix: str = "") -> Reader:
    """Take the text of the answer that is spread over attributes."""
    read = indexed(prefix, infix)
    firsts = (f"{prefix}.0.{infix}role", f"{prefix}.0.{infix}content")

    def answer_of(span: Span) -> Value:
        if all(first not in span.attributes for first in firsts):
            return None
        return next(filter(None, (text_of(message["content"]) for message in read(span))), None)

    return Reader(answer_of, firsts)


def _scaled(value: Value, scale: int) -> int | None:
    number = to_number(value)
    return None if number is None else int(number * scale)
