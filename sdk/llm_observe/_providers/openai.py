"""OpenAI, and whoever speaks its protocol: every endpoint that runs a model, complete and streamed."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Final

from llm_observe._call import Call
from llm_observe._extensions import chat_text, response_text
from llm_observe._guard import attempt
from llm_observe._providers import openai_media, openai_responses
from llm_observe._providers.errors import read_error, read_error_body
from llm_observe._providers.fields import body_of, fields_of, undeclared_of
from llm_observe._providers.ids import note_ids
from llm_observe._providers.openai_endpoints import (
    CHAT,
    EMBEDDINGS,
    JOB,
    MEDIA,
    RESPONSE,
    STREAMED_USAGE,
    TEXT,
    find_background_call,
    find_endpoint,
)
from llm_observe._providers.usage import read_openai
from llm_observe._providers.usual_answers import is_text_alone, read_completion, read_completion_chunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorObject

__all__ = ["describe", "prepare", "read_chunk", "read_error", "read_response"]

_RAW_HEADER: Final = "x-stainless-raw-response"
"""Marks the requests of with_raw_response and with_streaming_response."""
_MAX_INPUTS: Final = 20


def describe(options: VendorObject, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
    """Begin the Call of a request, if it runs a model."""
    endpoint = find_endpoint(options)
    if endpoint is None:
        return find_background_call(options)
    body = body_of(options)
    if body is None:
        return None
    operation, kind, shows_end = endpoint
    call = Call("openai", operation, body.get("model"), sink)
    call.kind = kind
    call.streamed = stream
    call.needs_end = stream or shows_end
    attempt("describe", _describe, body, call)
    return call


def _describe(body: dict[str, object], call: Call) -> None:
    if call.kind == CHAT and (body.get("n") or 1) == 1:
        call.text_of = chat_text
        call.read_last = _read_ending
    elif call.kind == RESPONSE:
        call.text_of = response_text
    call.keep_input(_input_text(body))


def note_input(body: dict[str, object], call: Call) -> None:
    """Keep what is needed of the newest user message, or of the prompt."""
    call.keep_input(_input_text(body))


def _input_text(body: dict[str, object]) -> tuple[str, ...]:
    if "messages" in body:
        return last_user_text(body["messages"])
    prompt = body.get("input", body.get("prompt"))
    if prompt is None:  # a run
        return last_user_text(
            body.get("additional_messages") or fields_of(body.get("thread")).get("messages")
        )
    if isinstance(prompt, str):
        return (prompt,)
    if isinstance(prompt, list | tuple) and prompt:
        if all(isinstance(part, str) for part in prompt):
            return tuple(prompt[:_MAX_INPUTS])
        return last_user_text(prompt) or _texts_of(prompt)
    return ()


def _texts_of(parts: VendorObject) -> tuple[str, ...]:
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return tuple(text for text in texts if isinstance(text, str))


def last_user_text(messages: object) -> tuple[str, ...]:
    """Return references to the text of the newest user message; images and audio are omitted."""
    if not isinstance(messages, list | tuple):
        return ()
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return (content,)
            if isinstance(content, list | tuple):
                return _texts_of(content)
            return ()
    return ()


def prepare(options: VendorObject, call: Call, *, request_stream_usage: bool) -> tuple[VendorObject, bool]:
    """Request the usage chunk in a copy of the options, unless the application set include_usage itself."""
    if not request_stream_usage or call.kind not in STREAMED_USAGE or _is_raw(options):
        return options, False
    body = options.json_data
    if not isinstance(body, dict):
        return options, False
    stream_options = body.get("stream_options")
    if stream_options is not None and (
        not isinstance(stream_options, dict) or "include_usage" in stream_options
    ):
        return options, False
    if "stream_options" in (getattr(options, "extra_json", None) or ()):  # it replaces ours
        return options, False
    stream_options = {**(stream_options or {}), "include_usage": True}
    changed = copy(options)  # takes two thirds of the time of model_copy()
    vars(changed)["json_data"] = {**body, "stream_options": stream_options}
    return changed, True


def _is_raw(options: VendorObject) -> bool:
    """Return whether the application gets the HTTP response, whose bytes it may pass on."""
    headers = options.headers
    return isinstance(headers, dict) and any(name.lower() == _RAW_HEADER for name in headers)


def read_response(response: VendorObject, call: Call) -> None:
    """Record text, usage and finish reason of a complete answer of any endpoint."""
    if call.kind == CHAT and read_completion(response, call):
        return
    reader = _READERS.get(call.kind)
    if reader is not None:
        reader(response, call)
        return
    attempt("read_ids", note_ids, response, call)
    attempt("read_usage", _read_usage, response, call)
    if call.kind != EMBEDDINGS and not attempt("read_choice", _read_choice, response, call):
        call.needs_end = False  # whether the answer is complete is not known
    attempt("read_failure", _read_failure, response, call)


def _read_failure(answer: VendorObject, call: Call) -> None:
    """Record an error that came as an answer with HTTP status 200."""
    error = undeclared_of(answer).get("error")
    if error:
        read_error_body(error, call)


def _read_choice(response: VendorObject, call: Call) -> None:
    """Record the first of several answers: their texts would run together."""
    if not response.choices:
        return
    choice = response.choices[0]
    call.end_seen = True
    _note_reason(choice, call)
    if call.kind == TEXT:
        call.add_output(choice.text)
        return
    message = choice.message
    if message is None:
        return
    text = message.content or message.refusal
    if text:
        call.add_output(text)
    _note_tools(message.tool_calls, call)


def _note_reason(choice: VendorObject, call: Call) -> None:
    """Record why an answer ended. Gateways report the failure of a provider behind them in the choice."""
    reason = choice.finish_reason
    if reason:
        call.finish_reason = reason
        call.end_seen = True
    error = undeclared_of(choice).get("error")
    if error or reason == "error":
        read_error_body(error, call)


def read_chunk(chunk: VendorObject, call: Call) -> bool:
    """Record text, usage and finish reason of a completion's chunk or a Response's event.

    Runs for every chunk on the application's thread: it only reads attributes, the likeliest first.
    """
    reader = _EVENT_READERS.get(call.kind)
    if reader is not None:
        reader(chunk, call)
        return False
    if call.last_chunk is not None:
        call.read_last_chunk()
    if call.kind == CHAT and (has_only_usage := read_completion_chunk(chunk, call)) is not None:
        return has_only_usage
    if not call.response_model:
        attempt("read_ids", note_ids, chunk, call)
    if not chunk.choices:
        attempt("read_usage", _read_usage, chunk, call)
        attempt("read_failure", _read_failure, chunk, call)
        if chunk.usage is None:
            return False
        call.end_seen = True
        return _has_only_usage(chunk)
    attempt("read_delta", _read_delta, chunk, call)
    if not attempt("read_ending", _read_ending, chunk, call):
        call.needs_end = False
    return False


def _has_only_usage(chunk: VendorObject) -> bool:
    """Return whether a chunk without choices has nothing else to say, either."""
    return not getattr(chunk, "__pydantic_extra__", None) and not chunk.__dict__.get("moderation")


def _read_delta(chunk: VendorObject, call: Call) -> None:
    """Record the text of a chunk, if it belongs to the first of several answers."""
    choice = chunk.choices[0]
    if call.kind == TEXT:
        delta, text = None, choice.text
    else:
        delta = choice.delta
        text = delta.content if delta is not None else None
    if text:
        call.note_first_token()
        if not choice.index:
            call.add_output(text)
    elif delta is not None and not choice.index:
        _read_rare_delta(delta, call)


def _read_rare_delta(delta: VendorObject, call: Call) -> None:
    text = delta.refusal
    if text:
        call.note_first_token()
        call.add_output(text)
    elif delta.tool_calls:
        call.note_first_token()
        _note_tools(delta.tool_calls, call)


def _read_ending(chunk: VendorObject, call: Call) -> None:
    """Record the rest of a chunk: finish reason, and usage, which some servers send in every chunk."""
    if is_text_alone(chunk):
        return
    usage = chunk.usage
    if usage is not None:
        attempt("read_usage", read_openai, usage, call)
    choice = chunk.choices[0]
    if usage is None and (usage := _find_usage(chunk, choice)) is not None:
        attempt("read_usage", read_openai, usage, call)
    if not choice.index:
        _note_reason(choice, call)


def _note_tools(tool_calls: VendorObject, call: Call) -> None:
    for tool in tool_calls or ():
        function = getattr(tool, "function", None)
        if function is None:
            continue
        if function.name:
            call.add_output(f"[tool call] {function.name} ")
        if function.arguments:
            call.add_output(function.arguments)


def _read_usage(answer: VendorObject, call: Call) -> None:
    """Record the usage of an answer, or of a chunk without choices."""
    usage = answer.usage
    if usage is None:
        choices = getattr(answer, "choices", None)
        usage = _find_usage(answer, choices[0] if choices else None)
    if usage is not None:
        read_openai(usage, call)


def _find_usage(answer: VendorObject, choice: VendorObject) -> VendorObject:
    """Return the usage that a server states elsewhere: in the choice, or in a field of its own."""
    usage = undeclared_of(choice).get("usage")
    if usage is None and (own := undeclared_of(answer).get("x_groq")) is not None:
        usage = fields_of(own).get("usage")
    return usage


_READERS: Final = {
    RESPONSE: openai_responses.read_response,
    MEDIA: openai_media.read_media,
    JOB: openai_media.read_job,
}
"""Read the answers that are not one of several choices."""
_EVENT_READERS: Final = {
    RESPONSE: openai_responses.read_event,
    MEDIA: openai_media.read_media_event,
    JOB: openai_media.read_job_event,
}
