"""A span as it came, whatever it was written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from codec.otlp.values import MAX_JSON_CHARS, MAX_MESSAGES_CHARS, parse_json, to_text

if TYPE_CHECKING:
    from codec.otlp.values import Attributes, Value

STATUS_OK: Final = 1
STATUS_ERROR: Final = 2


class Origin(NamedTuple):
    """What the spans of one instrumentation in one process share."""

    scope: str
    """Name of the instrumentation."""
    scope_version: str
    resource: Attributes


class Event(NamedTuple):
    """An event of a span."""

    name: str
    time_ns: int
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """One span. Ids are lower-case hex, times nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status_code: int
    status_message: str
    attributes: Attributes
    events: list[Event]
    origin: Origin
    _parsed: dict[str, Value] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """Name of the instrumentation."""
        return self.origin.scope

    @property
    def duration_ns(self) -> int:
        """How long it took."""
        return self.end_ns - self.start_ns

    def text(self, key: str) -> str:
        """Return an attribute's text, empty where it has none."""
        value = self.attributes.get(key)
        return "" if value is None else to_text(value) or ""

    def text_of_resource(self, key: str) -> str:
        """Return what its process says of itself under a key, empty where that is no text."""
        return to_text(self.origin.resource.get(key)) or ""

    def json(self, key: str, max_chars: int = MAX_JSON_CHARS) -> Value:
        """Return an attribute whose JSON text is read once; one that is no text is returned as it is."""
        value = self.attributes.get(key)
        if not isinstance(value, str):
            return value
        if key not in self._parsed:
            self._parsed[key] = parse_json(value, max_chars)
        return self._parsed[key]

    def messages(self, key: str) -> Value:
        """Return an attribute that may hold long texts, as json() does; text that is no JSON as it is."""
        parsed = self.json(key, MAX_MESSAGES_CHARS)
        return self.attributes.get(key) if parsed is None else parsed
