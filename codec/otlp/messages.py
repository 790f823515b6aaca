"""Finds what the user said last and what the model answered, in the shapes that emitters use for messages.

OpenTelemetry has ``{role, parts}``, OpenAI and Anthropic ``{role, content}``, Gemini ``{role, parts:
[{text}]}``, LangChain ``{type, content}`` or a serialized constructor; requests and responses have them under
``messages``, ``choices``, ``generations``, ``candidates`` and the like. One reader knows all of them, since
emitters mix them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.values import MAX_MESSAGES_CHARS, parse_json, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.otlp.values import Value

_MAX_DEPTH: Final = 8
_MAX_MESSAGES: Final = 10_000
_USER_ROLES: Final = {"user", "human", "humanmessage"}
_OTHER_ROLES: Final = {
    *_USER_ROLES, "system", "tool", "reasoning", "thinking", "function_call", "tool_call", "tool_use",
}  # fmt: skip
"""Who, or what, is not the model's answer."""
_TEXT_TYPES: Final = {"text", "input_text", "output_text", "summary_text", "refusal", ""}
_TEXT_PARTS: Final = _TEXT_TYPES - {""}
_REQUEST_KEYS: Final = (
    "messages",
    "contents",
    "input",
    "prompt",
    "kwargs",
    "data",
    "inputs",
    "query",
    "question",
)
_RESPONSE_KEYS: Final = (
    "choices", "generations", "candidates", "output", "output_text", "message", "messages", "delta", "kwargs",
    "data", "content", "text", "completion", "response", "result",
)  # fmt: skip


def last_user_text(value: Value) -> str | None:
    """Return the newest text of the user's in a request; None where there is none."""
    if isinstance(value, str):
        parsed = parse_json(value, MAX_MESSAGES_CHARS)
        return last_user_text(parsed) if isinstance(parsed, list | dict) else to_text(value)
    for message in reversed(list(_messages(value, _MAX_DEPTH))):
        if _role(message) in _USER_ROLES:
            text = _own_text(message)
            if text:
                return text
    return _bare_text(value)


def answer_text(value: Value) -> str | None:
    """Return the text of a model's answer; None where it has none."""
    if isinstance(value, str):
        parsed = parse_json(value, MAX_MESSAGES_CHARS)
        return answer_text(parsed) if isinstance(parsed, list | dict) else to_text(value)
    return _answer(value, _MAX_DEPTH)


def text_of(content: Value, depth: int = _MAX_DEPTH) -> str | None:
    """Return the text of a message's content: a text, or the texts among its parts."""
    if isinstance(content, str):
        return content if to_text(content) else None
    if not depth:
        return None
    if isinstance(content, list):
        texts = [text_of(part, depth - 1) for part in content[:_MAX_MESSAGES]]
        return "".join(text for text in texts if text) or None
    if isinstance(content, dict) and str(content.get("type") or "").lower() in _TEXT_TYPES:
        for key in ("text", "content", "value"):
            found = text_of(content.get(key), depth - 1)
            if found:
                return found
    return None


def _messages(value: Value, depth: int) -> Iterator[dict[str, Value]]:
    """Yield the messages of a request in their order, however deep they stand."""
    if not depth:
        return
    if isinstance(value, list):
        for item in value[-_MAX_MESSAGES:]:
            yield from _messages(item, depth - 1)
    elif isinstance(value, dict):
        if _role(value) and _has_content(value):
            yield value
            return
        for key in _REQUEST_KEYS:
            if isinstance(value.get(key), list | dict):
                yield from _messages(value[key], depth - 1)


def _has_content(message: dict[str, Value]) -> bool:
    return any(key in message for key in ("content", "parts", "kwargs", "data"))


def _role(message: dict[str, Value]) -> str:
    """Return who speaks, in lower case: LangChain says it by type, or by the name of a class."""
    role = message.get("role")
    if not isinstance(role, str):
        role = message.get("type")
        path = message.get("id")
        if role == "constructor" and isinstance(path, list):
            role = str(path[-1]) if path else ""
    return role.lower() if isinstance(role, str) else ""


def _own_text(message: dict[str, Value]) -> str | None:
    for key in ("parts", "content"):
        text = text_of(message.get(key))
        if text:
            return text
    for key in ("kwargs", "data"):
        inner = message.get(key)
        if isinstance(inner, dict):
            text = text_of(inner.get("content"))
            if text:
                return text
    return None


def _bare_text(value: Value) -> str | None:
    """Return the text of a request that is no conversation: ``{"prompt": "hello"}`` or ``["hello"]``."""
    if isinstance(value, list):
        return to_text(value[-1]) if value and isinstance(value[-1], str) else None
    if isinstance(value, dict):
        for key in _REQUEST_KEYS:
            found = value.get(key)
            if isinstance(found, str):
                return to_text(found)
            if isinstance(found, list) and found and isinstance(found[-1], str):
                return to_text(found[-1])
    return None


def _is_text_part(value: Value) -> bool:
    return isinstance(value, dict) and str(value.get("type") or "") in _TEXT_PARTS


def _answer(value: Value, depth: int) -> str | None:
    if isinstance(value, str):
        return to_text(value)
    if isinstance(value, list) and depth:
        # Parts of one message belong together; of several messages or choices the first that has text counts.
        if all(map(_is_text_part, value)):
            return text_of(value)
        return next(filter(None, (_answer(item, depth - 1) for item in value[:_MAX_MESSAGES])), None)
    if not isinstance(value, dict) or not depth or _role(value) in _OTHER_ROLES:
        return None
    text = text_of(value.get("parts")) or text_of(value.get("content"))
    if text:
        return text
    return next(
        filter(None, (_answer(value[key], depth - 1) for key in _RESPONSE_KEYS if key in value)), None
    )
