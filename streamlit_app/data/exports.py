"""Writes conversations to files."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from google.protobuf.json_format import MessageToDict
from llm_observe.v1.conversation_pb2 import ConversationState, Role

from streamlit_app import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.conversation_pb2 import Conversation, Message

_UNSAFE: Final = re.compile(r"[^\w-]+", re.ASCII)
_NAME_CHARS: Final = 60


def file_name(conversation: Conversation, extension: str) -> str:
    """Return a name for the file of a conversation."""
    name = _UNSAFE.sub("-", conversation.title.lower()).strip("-")[:_NAME_CHARS]
    return f"{name or conversation.conversation_id}.{extension}"


def to_json(conversation: Conversation, messages: Sequence[Message]) -> str:
    """Return a conversation with its messages as JSON, with the names of the protos."""
    whole = _to_dict(conversation) | {"messages": [_to_dict(message) for message in messages]}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _to_dict(message: Conversation | Message) -> dict[str, object]:
    found: dict[str, object] = MessageToDict(message, preserving_proto_field_name=True)
    return found


def to_markdown(conversation: Conversation, messages: Sequence[Message]) -> str:
    """Return a conversation with its messages as Markdown."""
    state = ConversationState.Name(conversation.state).removeprefix("CONVERSATION_STATE_").lower()
    began = f"{fmt.timestamp(conversation.create_time):%Y-%m-%d %H:%M UTC}"
    title = " ".join(conversation.title.split()) or "Untitled"
    head = f"# {title}\n\n{began} · {state} · {len(messages)} messages\n"
    return "\n".join([head, *map(_message_to_markdown, messages)])


def _message_to_markdown(message: Message) -> str:
    who = Role.Name(message.role).removeprefix("ROLE_").capitalize()
    by = f" ({message.provider} · {message.model})" if message.model else ""
    at = f"{fmt.timestamp(message.create_time):%Y-%m-%d %H:%M:%S UTC}"
    return f"## {who}{by}\n\n*{at}*\n\n{message.content or '(no text is stored)'}\n"
