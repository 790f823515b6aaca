"""Messages in a span's events, or in its attribute ``events``, in the forms that OpenTelemetry has had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.messages import answer_text, last_user_text
from codec.otlp.values import MAX_MESSAGES_CHARS, dig, parse_json, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.otlp.span import Span
    from codec.otlp.values import Attributes, Value

_USER: Final = {"gen_ai.user.message", "gen_ai.content.prompt"}
_CHOICE: Final = {"gen_ai.choice", "gen_ai.content.completion"}


def event_user_text(span: Span) -> Value:
    """Take the newest text of the user's."""
    found = None
    for name, attributes in _events(span):
        found = user_text_of(name, attributes) or found
    return found


def event_answer(span: Span) -> Value:
    """Take the text of the answer. What the model said before stands in other events."""
    texts = [text for name, attributes in _events(span) if (text := answer_text_of(name, attributes))]
    return texts[-1] if texts else None


def event_finish_reason(span: Span) -> Value:
    """Take why the model stopped."""
    return next(filter(None, (finish_reason_of(attributes) for _, attributes in _events(span))), None)


def user_text_of(name: str, attributes: Attributes) -> str | None:
    """Return the user's text in an event, or in a log record's attributes and body."""
    for key in ("gen_ai.input.messages", "gen_ai.prompt"):
        text = last_user_text(_loaded(attributes.get(key)))
        if text:
            return text
    if name in _USER:
        return last_user_text([{"role": "user", "content": _loaded(attributes.get("content"))}])
    return None


def answer_text_of(name: str, attributes: Attributes) -> str | None:
    """Return the answer's text in an event."""
    for key in ("gen_ai.output.messages", "gen_ai.completion"):
        text = answer_text(_loaded(attributes.get(key)))
        if text:
            return text
    if name not in _CHOICE:
        return None
    message = _loaded(attributes.get("message"))
    return answer_text(message) or answer_text(_loaded(attributes.get("content")))


def finish_reason_of(attributes: Attributes) -> str | None:
    """Return why the model stopped, where an event says so."""
    messages = _loaded(attributes.get("gen_ai.output.messages"))
    return to_text(attributes.get("finish_reason")) or to_text(dig(messages, 0, "finish_reason"))


def with_content(attributes: Attributes) -> Attributes:
    """Return an event's attributes together with the body that Azure's SDKs write into one of them."""
    content = _loaded(attributes.get("gen_ai.event.content"))
    if isinstance(content, dict):
        return {**attributes, **content}
    return attributes if content is None else {"content": content, **attributes}


def _events(span: Span) -> Iterator[tuple[str, Attributes]]:
    """Yield names and attributes; the attribute ``events`` is a list of objects that have their own names."""
    for event in span.events:
        if event.name.startswith("gen_ai."):
            yield event.name, with_content(event.attributes)
    listed = span.messages("events") if "events" in span.attributes else None
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict):
            yield str(item.get("event.name") or ""), item


def _loaded(value: Value) -> Value:
    if isinstance(value, str) and value[:1] in "[{":
        parsed = parse_json(value, MAX_MESSAGES_CHARS)
        return value if parsed is None else parsed
    return value
