"""Gemini's Live API: each turn of the model is one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe._call import CANCELLED, SUCCESS, Call
from llm_observe._guard import attempt
from llm_observe._providers import gemini
from llm_observe._providers.fields import JsonObject, parse_json_object, snake_case, to_plain_json
from llm_observe._providers.usage import read_gemini
from llm_observe._runtime import submit
from llm_observe._sockets import OpenCalls
from llm_observe._values import to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorObject

_TURN = "turn"
"""The model's turns follow each other, so that one key is enough."""
_TELLING = (
    "usageMetadata",
    "turnComplete",
    "generationComplete",
    "interrupted",
    "toolCall",
    "outputTranscription",
)


class GeminiConversation:
    """The messages of one session."""

    def __init__(self, model: object, locate: Callable[[Call], None]) -> None:
        self._model = to_text(model).removeprefix("models/")
        self._locate = locate
        self._user_texts: tuple[str, ...] = ()
        self.calls = OpenCalls(gemini, self._begin)

    def _begin(self) -> Call:
        call = Call("gemini", "chat", self._model, submit)
        self._locate(call)
        return call

    def parse(self, data: str | bytes) -> VendorObject:
        return parse_json_object(data, snake_case)

    def is_media(self, data: str | bytes) -> bool:
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        if '"realtime_input"' in text[:40]:
            return '"text"' not in text[:80]
        return '"inlineData"' in text and not any(f'"{name}"' in text for name in _TELLING)

    def read_sent(self, message: VendorObject) -> None:
        content, typed = message.client_content, _typed_text(message.realtime_input)
        if content is not None:
            self._user_texts = gemini.last_user_text(to_plain_json(content.turns) or ()) or self._user_texts
        elif typed:
            self._user_texts = (typed,)
        asks = (content is not None and content.turn_complete is not False) or typed or message.tool_response
        if asks and self.calls.newest() is None:
            self.calls.ask().keep_input(self._user_texts)

    def read_received(self, message: VendorObject) -> None:
        content, tools = message.server_content, message.tool_call
        if content is not None and content.input_transcription is not None:
            self._hear(content.input_transcription)
        if tools is not None or (
            content is not None and (content.model_turn or content.output_transcription)
        ):
            attempt("read_content", _read_content, content, tools, self._answer())
        call = self.calls.newest()
        if call is None:
            return
        if message.usage_metadata is not None:
            attempt("read_usage", read_gemini, message.usage_metadata, call)
        self._read_end(content, tools, call)

    def _answer(self) -> Call:
        call = self.calls.answer(_TURN)
        call.note_first_token()
        if not call.input_text:
            call.keep_input(self._user_texts)
        return call

    def _hear(self, transcription: VendorObject) -> None:
        """Record a piece of what the user says; the next turn begins another text."""
        heard = "".join(self._user_texts) if self.calls.newest() is None else ""
        self._user_texts = (heard + to_text(transcription.text),)

    def _read_end(self, content: VendorObject, tools: VendorObject, call: Call) -> None:
        """End the call if its turn ends: complete, interrupted by the user, or with the call of a tool."""
        if content is not None and content.interrupted:
            call.finish_reason, call.end_seen, call.outcome = "interrupted", True, CANCELLED
        elif tools is not None:
            call.finish_reason, call.end_seen = "tool_call", True
        elif content is not None and content.turn_complete:
            call.finish_reason, call.end_seen = to_text(content.turn_complete_reason) or "turn_complete", True
        if call.end_seen:
            self._user_texts = ()
            self.calls.end(call, SUCCESS)


def _typed_text(realtime_input: VendorObject) -> str:
    """Return the text that the user typed while the model listens."""
    return to_text(realtime_input.text) if isinstance(realtime_input, JsonObject) else ""


def _read_content(content: VendorObject, tools: VendorObject, call: Call) -> None:
    if content is not None and content.model_turn is not None:
        for part in content.model_turn.parts or ():
            if part.text and not part.thought:
                call.add_output(part.text)
    if content is not None and content.output_transcription is not None:
        call.add_output(content.output_transcription.text)
    for function in (tools.function_calls if tools is not None else None) or ():
        call.add_output(f"[tool call] {function.name} ")
        call.add_output(to_plain_json(function.args))
