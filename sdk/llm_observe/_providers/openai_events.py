"""OpenAI's WebSockets: Realtime, Responses and Live. Each response is one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._call import ERROR, Call
from llm_observe._guard import attempt
from llm_observe._providers import openai
from llm_observe._providers.errors import read_error_body
from llm_observe._providers.fields import fields_of, parse_json_object, to_plain_json
from llm_observe._providers.openai_endpoints import RESPONSE
from llm_observe._runtime import submit
from llm_observe._sockets import OpenCalls
from llm_observe._values import to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorObject

_SOUND: Final = ("audio.delta", "input_audio", "session.audio", "image_url")
"""Parts of the types of messages that carry sound or pictures."""
_TYPE_CHARS: Final = 200
"""Where a message's type is looked for, at either end of it."""
_TEXT_EVENTS: Final = (
    "output_text.delta", "refusal.delta", "response.text.delta", "audio_transcript.delta",
    "function_call_arguments.delta", "custom_tool_call_input.delta",
)  # fmt: skip
"""Last parts of the types of events that carry a piece of the answer."""
_LAST_EVENTS: Final = (
    "response.done", "response.completed", "response.incomplete", "response.failed", "response.cancelled",
)  # fmt: skip


class OpenAIConversation:
    """The events of one connection."""

    def __init__(self, model: object, locate: Callable[[Call], None], *, errors_end: bool) -> None:
        self._model = model
        self._locate = locate
        self._errors_end = errors_end
        """Whether an error event ends the answer that is under way; Realtime goes on after most."""
        self._user_texts: tuple[str, ...] = ()
        self.calls = OpenCalls(openai, self._begin)

    def _begin(self) -> Call:
        call = Call("openai", "chat", self._model or "", submit)
        call.kind = RESPONSE
        self._locate(call)
        return call

    def parse(self, data: str | bytes) -> VendorObject:
        return parse_json_object(data)

    def is_media(self, data: str | bytes) -> bool:
        ends = data[:_TYPE_CHARS], data[-_TYPE_CHARS:]
        text = "".join(end if isinstance(end, str) else end.decode("utf-8", "replace") for end in ends)
        return any(part in text for part in _SOUND)

    def read_sent(self, message: VendorObject) -> None:
        kind = message.type
        if kind == "response.create":
            self._ask(message)
        elif kind == "conversation.item.create":
            self._user_texts = _texts_of(message.item) or self._user_texts
        elif kind == "session.update":
            self._read_session(message.session)

    def _ask(self, message: VendorObject) -> None:
        """Begin a call: Responses state its parameters in the event, Realtime in a part of it."""
        call = self.calls.ask(message.stream_id)
        request = to_plain_json(message.response or message)
        call.model = to_text(fields_of(request).get("model")) or call.model
        if isinstance(request, dict) and request.get("input"):
            attempt("describe", openai.note_input, request, call)
        else:
            call.keep_input(self._user_texts)

    def _read_session(self, session: VendorObject) -> None:
        self._model = fields_of(session).get("model") or self._model

    def read_received(self, message: VendorObject) -> None:
        if message.type == "response.event":  # Live passes on the events of the responses that it asks for
            message = message.event
        kind = to_text(message.type)
        if kind in {"session.created", "session.updated"}:
            self._read_session(message.session)
        elif kind == "response.created":
            self._begin_answer(message)
        elif kind in _LAST_EVENTS:
            self._end_answer(message)
        elif kind == "error":
            self._read_error(message)
        elif kind.endswith("input_audio_transcription.completed"):
            self._read_transcript(message)
        elif kind.startswith("response."):
            self._read_delta(kind, message)

    def _begin_answer(self, message: VendorObject) -> None:
        call = self.calls.answer(_key_of(message), message.stream_id)
        if not call.input_text:
            call.keep_input(self._user_texts)
        fields = fields_of(message.response)
        call.provider_response_id = to_text(fields.get("id"))
        call.response_model = to_text(fields.get("model"))

    def _read_delta(self, kind: str, message: VendorObject) -> None:
        call = self.calls.find(_key_of(message))
        if call is not None and kind.endswith(".delta"):
            call.note_first_token()
            if kind.endswith(_TEXT_EVENTS):
                call.add_output(message.delta)

    def _end_answer(self, message: VendorObject) -> None:
        call = self.calls.find(_key_of(message)) or self.calls.answer(_key_of(message), message.stream_id)
        openai.read_response(message.response, call)
        call.background_id = ""  # its end is here
        details = message.response.status_details
        if details is not None:
            call.finish_reason = to_text(details.reason) or call.finish_reason
            if details.error is not None:
                read_error_body(details.error, call)
        self.calls.end(call)

    def _read_error(self, message: VendorObject) -> None:
        call = self.calls.find(message.stream_id) if self._errors_end else None
        call = call or self.calls.oldest_asked(message.stream_id)
        if call is not None:
            read_error_body(message.error or message, call)
            self.calls.end(call, ERROR)

    def _read_transcript(self, message: VendorObject) -> None:
        """Record what the user said: it may come while the answer is under way."""
        self._user_texts = (to_text(message.transcript),)
        call = self.calls.newest()
        if call is not None and not call.input_text:
            call.keep_input(self._user_texts)


def _key_of(message: VendorObject) -> object:
    """Return what tells the events of one response from those of another on the same connection."""
    return message.stream_id or message.response_id or fields_of(message.response).get("id")


def _texts_of(item: VendorObject) -> tuple[str, ...]:
    if fields_of(item).get("role") != "user":
        return ()
    parts = [fields_of(part) for part in item.content or ()]
    texts = (part.get("text") or part.get("transcript") for part in parts)
    return tuple(text for text in texts if isinstance(text, str))
