"""Values of commands as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def to_json(value: object, *, indent: int | None = 2) -> str:
    """Return a value as JSON that may be shown on a terminal.

    Messages have all fields but those that are absent, by their names in the proto; times and durations are
    those of protobuf's JSON, counts are numbers.
    """
    return printable_json(json.dumps(value, default=_to_plain, ensure_ascii=False, indent=indent))


def printable_json(text: str) -> str:
    """Return JSON of the same values in which nothing commands a terminal."""
    # What is not printable stands in strings alone.
    return "".join(char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _to_plain(value: object) -> object:
    """Return what json knows in place of what it does not know."""
    match value:
        case Timestamp() | Duration():
            return value.ToJsonString()
        case Message():
            return fields_of(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case UUID():
            return str(value)
    raise TypeError(type(value).__name__)


def fields_of(message: Message) -> dict[str, object]:
    """Return a message's fields by name, without those that are absent; their values may be messages."""
    fields = message.DESCRIPTOR.fields
    present = [each.name for each in fields if not each.has_presence or message.HasField(each.name)]
    return {name: _field(message, name) for name in present}


def _field(message: Message, name: str) -> object:
    field = message.DESCRIPTOR.fields_by_name[name]
    value = getattr(message, name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict(value)
    if field.enum_type is not None:
        names = {number: known.name for number, known in field.enum_type.values_by_number.items()}
        # A value that this release does not know stays a number.
        return [names.get(each, each) for each in value] if field.is_repeated else names.get(value, value)
    return list(value) if field.is_repeated else value
