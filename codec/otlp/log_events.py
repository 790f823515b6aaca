"""Log records that tell of a call: its messages, why the model stopped, whose session it is.

They come in requests of their own, before the call's span or after it. Each is a node beside the spans: it is
tied to its call by the span that it names, or by the id of the response or of the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe import limits
from llm_observe.v1 import log_pb2

from codec.otlp.event_texts import answer_text_of, finish_reason_of, user_text_of, with_content
from codec.otlp.folding import Kind, Node
from codec.otlp.values import MAX_MESSAGES_CHARS, dig, parse_json, to_list, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from codec.otlp.values import Attributes, Value

_IDS: Final = ("gen_ai.response.id", "request_id")
_TRACE_DIGITS: Final = 32
_SPAN_DIGITS: Final = 16
_PREFIX: Final = "gen_ai."
_MOVED: Final = {"input": "gen_ai.input.messages", "output": "gen_ai.output.messages"}
_CLAUDE_CODE_ANSWER: Final = "assistant_response"
_SHARED: Final = {
    "session_id": ("session.id",),
    "conversation_id": ("gen_ai.conversation.id",),
    "user_id": ("user.id", "enduser.id"),
}


class LogRecord(NamedTuple):
    """A log record as it came. Ids are lower-case hex, empty where it names none."""

    name: str
    """Of the event; empty where it is none."""
    trace_id: str
    span_id: str
    attributes: Attributes
    body: Value


class ReadEvent(NamedTuple):
    """What a log record tells of a call."""

    node: Node
    view: log_pb2.Log


def read_events(
    records: Iterable[LogRecord], shorten: Callable[[log_pb2.Log], None] = lambda _: None
) -> dict[tuple[str, str], ReadEvent]:
    """Return what log records tell of calls; of records of one kind for one call the last counts.

    Args:
        records: In the order of the request.
        shorten: Redacts and cuts the texts of a log.
    """
    events = {}
    for record in records:
        for event in _events_of(record):
            shorten(event.view)
            events[event.node.key] = event
    return events


def _events_of(record: LogRecord) -> list[ReadEvent]:
    name = record.name or to_text(record.attributes.get("event.name")) or ""
    body = _body_of(record)
    if not name.startswith(_PREFIX) and name != _CLAUDE_CODE_ANSWER:
        # Amazon's distribution moves messages from spans to records that are named after the instrumentation.
        body = {key: dig(body.get(part), "messages") for part, key in _MOVED.items()}
        if not any(body.values()):
            return []
    told = with_content({**record.attributes, **body})
    response_id = next((text for key in _IDS if (text := to_text(told.get(key)))), "")
    is_tied_by_id = name == _CLAUDE_CODE_ANSWER  # its span is the interaction's
    span_id = record.span_id if not is_tied_by_id and len(record.span_id) == _SPAN_DIGITS else ""
    if not response_id and not span_id:
        return []
    question = log_pb2.Log(input_preview=to_text(user_text_of(name, told)) or "")
    answer = log_pb2.Log(
        output_preview=to_text(_answer_of(name, told)) or "",
        finish_reason=(finish_reason_of(told) or "")[:100],
    )
    for field, keys in _SHARED.items():
        text = next((text for key in keys if (text := to_text(told.get(key)))), "")
        setattr(answer, field, text[: limits.MAX_TEXT_CHARS[field]])
    parts = (("question", question), ("answer", answer))
    return [_event(record, span_id, response_id, part, view) for part, view in parts if view.ByteSize()]


def _answer_of(name: str, told: Attributes) -> str | None:
    response = told.get("response")
    if name == _CLAUDE_CODE_ANSWER:
        return response if isinstance(response, str) else None
    return answer_text_of(name, told)


def _event(record: LogRecord, span_id: str, response_id: str, part: str, view: log_pb2.Log) -> ReadEvent:
    trace_id = record.trace_id if len(record.trace_id) == _TRACE_DIGITS else f"response {response_id}"
    node = Node(trace_id, f"{span_id or response_id} {part}", span_id, Kind.EVENT, "", 0, 0, response_id)
    return ReadEvent(node, view)


def _body_of(record: LogRecord) -> Attributes:
    """Return the body's pairs: of a map, or of JSON text; a text of another kind is the content."""
    body = record.body
    parsed = parse_json(body, MAX_MESSAGES_CHARS) if isinstance(body, str) and body[:1] == "{" else body
    if isinstance(parsed, dict):
        return parsed
    return {"content": parsed} if isinstance(parsed, str) and to_list(parsed) else {}
